package main

func Example() {
	main()
	// Output:
	// The link token expires in 15m0s
	// true customer_1 workspace_1
}
