// a file of a shared library
def call(Map config) {
    podTemplate(
        label: 'build',
        yaml: """
            spec:
              containers:
              - name: jnlp
                image: jenkins/inbound-agent:latest
              - name: tools
                image: public.ecr.aws/docker/library/alpine:3.20
        """,
        containers: [
            containerTemplate(name: 'maven', image: 'public.ecr.aws/docker/library/maven:3.9', ttyEnabled: true, command: 'cat'),
            containerTemplate(image: "public.ecr.aws/docker/library/docker:27", name: 'docker'),
        ],
    ) {
        node('build') {
            checkout scm
            docker.image('public.ecr.aws/docker/library/mysql:8').withRun('-e "MYSQL_ROOT_PASSWORD=x"') { c ->
                docker.image('public.ecr.aws/docker/library/mysql:8').inside("--link ${c.id}:db") { sh 'mysqladmin ping -hdb' }
                sh 'docker run --rm public.ecr.aws/docker/library/redis:7 redis-cli ping'
            }
            withDockerContainer(args: '-u root', image: 'public.ecr.aws/docker/library/python:3.12') {
                sh(script: 'docker pull public.ecr.aws/docker/library/node:22', returnStdout: true).trim()
            }
            sh label: 'tools',
               script: """
                docker build -t shop:${env.BUILD_ID} .
                docker run --rm -v \$PWD:/src public.ecr.aws/docker/library/golang:1.23 go vet ./...
               """
            def app = docker.build("shop:${env.BUILD_ID}", '--build-arg BASE=scratch -f ci.Dockerfile .')
            app.push()
            docker.build('shop:test')
            docker.image('shop:test').inside { sh 'ls' }
        }
    }
}
