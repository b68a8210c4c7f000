package client

import "sync"

// A full budget pays for 35 retries without a success between them. In the long
// run, 14 successful first attempts pay for a retry that fails.
const (
	budgetSize   = 500
	retryCost    = 14 // refunded if the retry succeeds
	firstSuccess = 1
)

// A budget limits the load that a Client's retries add to a failing server.
type budget struct {
	mu    sync.Mutex
	spent int
}

// spend takes n units from the budget, and reports whether that many were left. A
// negative n puts units back.
func (b *budget) spend(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spent+n > budgetSize {
		return false
	}
	b.spent = max(0, b.spent+n)
	return true
}
