package main

import "fmt"

func main() { fmt.Println("the shop is open") }
