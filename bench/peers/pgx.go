// pgx 4 (as Debian packages it), its native interface: binary, statements cached. pgx WORKLOAD SECONDS ROWS TAG prints what bench/peer.lua prints.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

const (
	users, tenants, batchSize, workers, connections = 100000, 10, 100, 16, 8
	slice                                           = 200 // rows that are made at once

	written = "tenant_id, id, username, email, status, full_name, metadata"
	get     = "select " + written + ", created_at, updated_at, deleted_at from bench.users where tenant_id = $1 and id = $2"
	insert  = "insert into bench.users (" + written + ") values ($1, $2, $3, $4, $5, $6, $7) returning created_at"
	update  = "update bench.users set full_name = 'Renamed', updated_at = now() where tenant_id = $1 and id = $2"
	list    = "select " + written + ", created_at, updated_at, deleted_at from bench.users where tenant_id = $1 order by id limit 10000"
)

type user struct {
	TenantID, ID, Username, Email, Status, FullName string
	Metadata                                        map[string]interface{}
	CreatedAt, UpdatedAt                            time.Time
	DeletedAt                                       *time.Time
}

type querier interface {
	Query(ctx context.Context, sql string, args ...interface{}) (pgx.Rows, error)
}

var ctx = context.Background()

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgx:", err)
		os.Exit(1)
	}
}

// keys: every program draws the same ones.
type keys uint64

func (k *keys) draw() (string, string) {
	*k = *k * 16807 % 2147483647
	n := uint64(*k) % users
	return fmt.Sprintf("tenant-%d", n%tenants), fmt.Sprintf("user-%06d", n)
}

func fresh(tag string, n int) *user {
	id := fmt.Sprintf("new-%s-%d", tag, n)
	return &user{
		TenantID: fmt.Sprintf("tenant-%d", n%tenants), ID: id, Username: id, Email: id + "@example.com",
		Status: "active", FullName: "User Number",
		Metadata: map[string]interface{}{
			"role": "editor", "tags": []string{"a", "b"}, "logins": 12, "prefs": map[string]string{"theme": "dark"}},
	}
}

func (u *user) values() []interface{} {
	return []interface{}{u.TenantID, u.ID, u.Username, u.Email, u.Status, u.FullName, u.Metadata}
}

func collect(rows pgx.Rows, err error) []*user {
	must(err)
	var found []*user
	for rows.Next() {
		u := new(user)
		must(rows.Scan(&u.TenantID, &u.ID, &u.Username, &u.Email, &u.Status, &u.FullName, &u.Metadata,
			&u.CreatedAt, &u.UpdatedAt, &u.DeletedAt))
		found = append(found, u)
	}
	must(rows.Err())
	return found
}

func one(db querier, tenant, id string) int { return len(collect(db.Query(ctx, get, tenant, id))) }

func create(db interface {
	QueryRow(ctx context.Context, sql string, args ...interface{}) pgx.Row
}, u *user) int {
	must(db.QueryRow(ctx, insert, u.values()...).Scan(&u.CreatedAt))
	return 1
}

func transaction(db *pgx.Conn, u *user) int {
	must(db.BeginFunc(ctx, func(tx pgx.Tx) error {
		create(tx, u)
		if _, err := tx.Exec(ctx, update, u.TenantID, u.ID); err != nil {
			return err
		}
		one(tx, u.TenantID, u.ID)
		return nil
	}))
	return 1
}

func batch(db *pgx.Conn, k *keys) int {
	queue := new(pgx.Batch)
	for i := 0; i < batchSize; i++ {
		tenant, id := k.draw()
		queue.Queue(get, tenant, id)
	}
	results := db.SendBatch(ctx, queue)
	for i := 0; i < batchSize; i++ {
		collect(results.Query())
	}
	must(results.Close())
	return batchSize
}

func cpu() float64 {
	var u syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func report(units int, took, used float64) {
	var u syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	fmt.Printf("%d %.6f %.6f %d\n", units, took, used, u.Maxrss)
}

// Rows are made before every slice of steps, while the clock stands.
func timed(seconds float64, step func() int, prepare func()) {
	prepare()
	step()
	units, took, used := 0, 0.0, 0.0
	for took < seconds {
		prepare()
		cpuStart, start, passed := cpu(), time.Now(), 0.0
		for i := 0; i < slice && took+passed < seconds; i++ {
			units += step()
			passed = time.Since(start).Seconds()
		}
		took, used = took+passed, used+cpu()-cpuStart
	}
	report(units, took, used)
}

func bulk(db *pgx.Conn, rows int) {
	stamp := time.Date(2025, 12, 7, 14, 40, 26, 865664000, time.UTC)
	all := make([]*user, rows)
	for i := range all {
		all[i] = fresh("bulk", i)
		all[i].CreatedAt, all[i].UpdatedAt = stamp, stamp
	}
	cpuStart, start := cpu(), time.Now()
	_, err := db.CopyFrom(ctx, pgx.Identifier{"bench", "bulk"},
		[]string{"tenant_id", "id", "username", "email", "status", "full_name", "metadata", "created_at", "updated_at"},
		pgx.CopyFromSlice(rows, func(i int) ([]interface{}, error) {
			return append(all[i].values(), all[i].CreatedAt, all[i].UpdatedAt), nil
		}))
	must(err)
	report(rows, time.Since(start).Seconds(), cpu()-cpuStart)
}

func concurrent(seconds float64) {
	config, err := pgxpool.ParseConfig(os.Getenv("BENCH_URL"))
	must(err)
	config.MaxConns, config.MinConns = connections, connections
	pool, err := pgxpool.ConnectConfig(ctx, config)
	must(err)
	var units int64
	var group sync.WaitGroup
	cpuStart, start := cpu(), time.Now()
	for i := 0; i < workers; i++ {
		group.Add(1)
		go func(k keys) {
			defer group.Done()
			for time.Since(start).Seconds() < seconds {
				tenant, id := k.draw()
				atomic.AddInt64(&units, int64(one(pool, tenant, id)))
			}
		}(keys(i + 1))
	}
	group.Wait()
	report(int(units), time.Since(start).Seconds(), cpu()-cpuStart)
}

func main() {
	workload, tag := os.Args[1], os.Args[4]
	seconds, err := strconv.ParseFloat(os.Args[2], 64)
	must(err)
	rows, err := strconv.Atoi(os.Args[3])
	must(err)
	db, err := pgx.Connect(ctx, os.Getenv("BENCH_URL"))
	must(err)
	k, made := keys(42), 0
	var ready []*user
	prepare := func() {
		if workload != "W2" && workload != "W3" {
			return
		}
		ready = ready[:0]
		for i := 0; i < slice; i++ {
			made++
			ready = append(ready, fresh(tag, made))
		}
	}
	next := func() *user { u := ready[len(ready)-1]; ready = ready[:len(ready)-1]; return u }
	steps := map[string]func() int{
		"W1": func() int { tenant, id := k.draw(); return one(db, tenant, id) },
		"W2": func() int { return create(db, next()) },
		"W3": func() int { return transaction(db, next()) },
		"W4": func() int { tenant, _ := k.draw(); return len(collect(db.Query(ctx, list, tenant))) },
		"W5": func() int { return batch(db, &k) },
	}
	switch workload {
	case "W6":
		bulk(db, rows)
	case "W7":
		concurrent(seconds)
	default:
		timed(seconds, steps[workload], prepare)
	}
}
