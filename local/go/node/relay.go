package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

// forward carries connections from one address to another, `unix:FILE` or `HOST:PORT`. The node's
// network namespace and the machine's have no link between them: a socket file is the only way.
// With -connect the other end is a proxy of this program, asked for that address.
func forward(args []string) error {
	flags := flag.NewFlagSet("forward", flag.ExitOnError)
	from := flags.String("from", "", "address to listen on")
	to := flags.String("to", "", "address to connect to")
	through := flags.String("connect", "", "address to ask the proxy at -to for")
	flags.Parse(args)
	listener, err := listen(*from)
	if err != nil {
		return err
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer client.Close()
			server, reader, err := dial(*to, *through)
			if err != nil {
				fmt.Fprintf(os.Stderr, "forward: %v\n", err)
				return
			}
			defer server.Close()
			exchange(client, client, server, reader)
		}()
	}
}

// proxy opens connections from within the node's network for whoever asks by HTTP CONNECT: for the
// API server to kubelet and Services, for a forward from the machine's loopback.
func proxy(args []string) error {
	flags := flag.NewFlagSet("proxy", flag.ExitOnError)
	from := flags.String("from", "", "address to listen on")
	flags.Parse(args)
	listener, err := listen(*from)
	if err != nil {
		return err
	}
	return http.Serve(listener, http.HandlerFunc(connect))
}

func connect(response http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodConnect {
		http.Error(response, "only CONNECT", http.StatusMethodNotAllowed)
		return
	}
	server, err := net.Dial("tcp", request.Host)
	if err != nil {
		http.Error(response, err.Error(), http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, buffered, err := response.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err == nil {
		exchange(client, buffered.Reader, server, server)
	}
}

// exchange copies both ways until both ends have said all they had to say.
func exchange(client net.Conn, fromClient io.Reader, server net.Conn, fromServer io.Reader) {
	done := make(chan struct{})
	go func() {
		io.Copy(server, fromClient)
		closeWrite(server)
		close(done)
	}()
	io.Copy(client, fromServer)
	closeWrite(client)
	<-done
}

func closeWrite(connection net.Conn) {
	if half, ok := connection.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

func dial(to, through string) (net.Conn, io.Reader, error) {
	connection, err := net.Dial(network(to))
	if err != nil || through == "" {
		return connection, connection, err
	}
	fmt.Fprintf(connection, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", through, through)
	reader := bufio.NewReader(connection)
	response, err := http.ReadResponse(reader, &http.Request{Method: http.MethodConnect})
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s", through, response.Status)
	}
	if err != nil {
		connection.Close()
		return nil, nil, err
	}
	return connection, reader, nil
}

func listen(address string) (net.Listener, error) {
	kind, where := network(address)
	if kind == "unix" {
		// Left by a process that was killed: nobody listens on it.
		os.Remove(where)
	}
	listener, err := net.Listen(kind, where)
	if err == nil && kind == "unix" {
		err = os.Chmod(where, 0o600)
	}
	return listener, err
}

func network(address string) (kind, where string) {
	if file, isFile := strings.CutPrefix(address, "unix:"); isFile {
		return "unix", file
	}
	return "tcp", address
}
