package main

import (
	"context"
	"errors"
	"flag"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"syscall"
	"time"
)

// ingress stands in for ingress-nginx in front of one Service: it ends TLS, which here the loopback
// makes unnecessary, and tells the visitor's address and scheme in headers. As that controller does
// by default, it believes no such header of its client, unless the client is among -trust.
func ingress(args []string) error {
	flags := flag.NewFlagSet("ingress", flag.ExitOnError)
	from := flags.String("from", ":8080", "address to listen on")
	to := flags.String("to", "", "URL of the Service")
	trust := flags.String("trust", "", "range of a proxy in front, whose X-Forwarded-For is kept")
	flags.Parse(args)
	target, err := url.Parse(*to)
	if err != nil {
		return err
	}
	_, trusted, err := net.ParseCIDR(*trust)
	if *trust != "" && err != nil {
		return err
	}
	// A connection that is kept would outlive the pod at its other end and take requests with it.
	transport := &http.Transport{DisableKeepAlives: true, DialContext: dialService}
	// A test that counts answers learns why it got none.
	failed := func(writer http.ResponseWriter, _ *http.Request, err error) {
		http.Error(writer, err.Error(), http.StatusBadGateway)
	}
	reverse := &httputil.ReverseProxy{Transport: transport, ErrorHandler: failed, Rewrite: func(request *httputil.ProxyRequest) {
		request.SetURL(target)
		request.Out.Host = request.In.Host
		client, _, _ := net.SplitHostPort(request.In.RemoteAddr)
		if trusted != nil && trusted.Contains(net.ParseIP(client)) {
			request.Out.Header["X-Forwarded-For"] = request.In.Header["X-Forwarded-For"]
		}
		request.SetXForwarded()
		request.Out.Header.Set("X-Real-IP", client)
		request.Out.Header.Set("X-Forwarded-Proto", "https")
	}}
	return http.ListenAndServe(*from, reverse)
}

// dialService leads to a pod that is there. kube-proxy forgets no TCP connection to a pod that was killed: a
// new one that happens to have the same port is still sent to that pod's address. The clusters' Cilium
// forgets them, and a controller goes to the pods by itself.
func dialService(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	for {
		connection, err := dialer.DialContext(ctx, network, address)
		gone := errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
		if !gone || ctx.Err() != nil {
			return connection, err
		}
	}
}
