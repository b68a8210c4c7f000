// Command minimal makes a link token and validates it.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/oneloop-ai/oneloop-go/client"
)

func main() {
	c, err := client.New(os.Getenv("ONELOOP_SDK_KEY"))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	token, err := c.GenerateLinkToken(ctx, client.GenerateLinkTokenRequest{
		CustomerID:  "customer_1",
		WorkspaceID: "workspace_1",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("The link token expires at", token.ExpiresAt)

	validation, err := c.ValidateLinkToken(ctx, token.Token)
	if err != nil {
		log.Fatal(err) // Oneloop has not decided: refuse access
	}
	fmt.Println(validation.Valid, validation.CustomerID, validation.WorkspaceID)
}
