package client

import "sync/atomic"

// The retry budget's figures: full, 35 retries can follow each other without a
// success between them, and in the long run one first success in 14 pays for a
// retry that fails.
const (
	budgetSize   = 500
	retryCost    = 14 // given back where the retry succeeds
	firstSuccess = 1
)

// budget limits how much load retries add to a server in trouble. It belongs
// to a Client; without enough in it calls end with their first outcome.
type budget struct{ units atomic.Int64 }

func newBudget() *budget {
	b := new(budget)
	b.units.Store(budgetSize)
	return b
}

func (b *budget) deposit(n int64) {
	for {
		have := b.units.Load()
		want := min(have+n, budgetSize)
		if want == have || b.units.CompareAndSwap(have, want) {
			return
		}
	}
}

func (b *budget) withdraw(n int64) bool {
	for {
		have := b.units.Load()
		if have < n {
			return false
		}
		if b.units.CompareAndSwap(have, have-n) {
			return true
		}
	}
}
