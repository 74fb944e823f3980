// Go's own file server over a folder, to be measured beside ours.
//
//	file-server FOLDER
//
// It prints one line of JSON when it listens: url.
package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("file-server: ")
	if len(os.Args) != 2 {
		log.Fatal("usage: file-server FOLDER")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("{\"url\":\"http://%s\"}\n", listener.Addr())
	log.Fatal(http.Serve(listener, http.FileServer(http.Dir(os.Args[1]))))
}
