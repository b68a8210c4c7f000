// Command minimal generates a link token and validates it. It calls an in-memory fake
// API, so it needs no SDK key.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/oneloop-ai/oneloop-go/client"
	"github.com/oneloop-ai/oneloop-go/client/clienttest"
)

func main() {
	// To call Oneloop: client.New(os.Getenv("ONELOOP_SDK_KEY"))
	c, err := client.New(clienttest.SDKKey, client.WithHTTPClient(clienttest.NewAPI().HTTPClient()))
	if err != nil {
		log.Fatal(err)
	}

	token, err := c.GenerateLinkToken(context.Background(), client.GenerateLinkTokenRequest{
		CustomerID:  "customer_1",
		WorkspaceID: "workspace_1",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("The link token expires in", time.Until(token.ExpiresAt).Round(time.Second))

	validation, err := c.ValidateLinkToken(context.Background(), token.Token)
	if err != nil {
		log.Fatal(err) // Oneloop has not decided: deny access
	}
	fmt.Println(validation.Valid, validation.CustomerID, validation.WorkspaceID)
}
