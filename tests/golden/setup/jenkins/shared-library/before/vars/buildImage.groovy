def call(Map config) {
    docker.withRegistry(config.registry, 'registry') {
        def image = docker.build(config.name)
        image.push()
    }
}
