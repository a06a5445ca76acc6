const http = require("node:http");

http.createServer((request, response) => response.end("shop\n")).listen(3000);
