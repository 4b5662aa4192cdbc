// Calls the demo with the generated Go client: five calls, whose answers are typed.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"example.com/client/api"
)

func check(err error, good bool, what string) {
	if err != nil {
		panic(what + ": " + err.Error())
	}
	if !good {
		panic(what)
	}
}

func main() {
	server := os.Args[1]
	client, err := api.NewClientWithResponses(server, api.WithHTTPClient(&http.Client{Timeout: time.Minute}))
	check(err, true, "client")
	ctx := context.Background()

	steps, err := client.ListStepsWithResponse(ctx)
	check(err, steps != nil && steps.JSON200 != nil && len(steps.JSON200.Items) > 20, "steps")
	all := true
	analysis, err := client.AnalyzeWithResponse(ctx, &api.AnalyzeParams{AllNamespaces: &all})
	check(err, analysis != nil && analysis.JSON200 != nil && len(analysis.JSON200.Findings) > 0, "analysis")
	types, err := client.CrdsWithResponse(ctx, &api.CrdsParams{})
	check(err, types != nil && types.JSON200 != nil && types.JSON200.Data != nil && len(types.JSON200.Data.Crds) > 10, "types")
	missing, err := client.CheckInjectWithResponse(ctx, &api.CheckInjectParams{Namespace: "no-such-namespace"})
	check(err, missing != nil && missing.StatusCode() == http.StatusNotFound, "not found")
	limit := int32(1)
	runs, err := client.ListRunsWithResponse(ctx, &api.ListRunsParams{Limit: &limit})
	check(err, runs != nil && runs.JSON200 != nil && len(runs.JSON200.Items) == 1, "runs")
	fmt.Println("Go: five calls")
}
