// Reads a dashboard as Grafana's own schema describes it, panels and Prometheus queries included: a field that is unknown
// there, is of another type or is missing ends it with exit code 1.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dashboard FILE")
		os.Exit(2)
	}
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func check(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	// Without these the options of panels and the queries would be taken as they come.
	plugins.RegisterDefaultPlugins()
	if err := real(new(dashboard.Dashboard).UnmarshalJSONStrict(text)); err != nil {
		return fmt.Errorf("not as Grafana's schema has it:\n%w", err)
	}
	// The strict reading leaves out the panels that it found good.
	var board dashboard.Dashboard
	if err := json.Unmarshal(text, &board); err != nil {
		return err
	}
	if err := board.Validate(); err != nil {
		return fmt.Errorf("not valid: %w", err)
	}
	panels, queries := 0, 0
	for _, entry := range board.Panels {
		if entry.Panel != nil {
			panels++
			queries += len(entry.Panel.Targets)
		}
	}
	if panels == 0 || queries == 0 {
		return fmt.Errorf("it shows nothing: %d panels, %d queries", panels, queries)
	}
	fmt.Printf("%s: %d panels with %d queries, as Grafana's schema has them\n", file, panels, queries)
	return nil
}

// The library answers an empty list of errors where all is well, which is an error that is not nil.
func real(err error) error {
	var list cog.BuildErrors
	if errors.As(err, &list) && len(list) == 0 {
		return nil
	}
	return err
}
