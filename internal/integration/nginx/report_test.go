package nginx

import (
	"fmt"
	"io"
	"sync"
	"text/tabwriter"
	"time"
)

// result is one row of the report.
type result struct {
	scenario, protocol, client string

	calls, lost int
	lostPOST    int
	longest     time.Duration       // the longest call
	requests    map[string][]logged // at nginx, by call
	received    int                 // requests at nginx
	most        int                 // the most requests of one call at nginx
	duplicates  int                 // calls that reached the upstream more than once
	mostPOST    int                 // the most requests of one POST at the upstream
	connections connCount           // of the client; open counts those open at the end
	left        resources           // of the whole process, at the end of the scenario
}

var report results

type results struct {
	mu   sync.Mutex
	rows []result
}

func (r *results) add(row result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = append(r.rows, row)
}

func (r *results) print(w io.Writer) {
	if len(r.rows) == 0 {
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "scenario\tprotocol\tclient\tcalls\tlost\trequests per call\tmost\tduplicates\tlongest call\tconnections\topen\tgoroutines left\tfiles left\t")
	for _, row := range r.rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%.3f\t%d\t%d\t%.2f s\t%d\t%d\t%d\t%d\t\n",
			row.scenario, row.protocol, row.client, row.calls, row.lost, float64(row.received)/float64(row.calls), row.most,
			row.duplicates, row.longest.Seconds(), row.connections.dialed, row.connections.open, row.left.goroutines, row.left.files)
	}
	table.Flush()
}
