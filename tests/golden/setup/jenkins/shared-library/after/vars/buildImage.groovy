def call(Map config) {
    docker.withRegistry(config.registry, 'registry') {
        sh 'aws ecr-public get-login-password --region us-east-1 | docker login --username AWS --password-stdin public.ecr.aws'
        def image = docker.build(config.name)
        image.push()
    }
}
