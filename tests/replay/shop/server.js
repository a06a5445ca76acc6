require("http").createServer((_, answer) => answer.end("the shop is open\n")).listen(8080);
