// Calls the demo with the generated TypeScript types: five calls, whose answers are typed.
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

declare const process: { argv: string[] };
const client = createClient<paths, "application/json" | "application/problem+json">({ baseUrl: process.argv[2] });
const check = (condition: unknown, what: string) => {
  if (!condition) throw new Error(what);
};

const steps = await client.GET("/v1/steps");
check(steps.data && steps.data.items.length > 20, "steps");
const analysis = await client.GET("/v1/istioctl/analyze", { params: { query: { all_namespaces: true } } });
check(analysis.data?.run.state === "succeeded" && analysis.data.findings.length > 0, "analysis");
const types = await client.GET("/v1/kubectl/crds");
check(types.data?.data?.crds.some((crd) => crd.kind === "VirtualService"), "types");
const missing = await client.GET("/v1/istioctl/check-inject", { params: { query: { namespace: "no-such-namespace" } } });
check(missing.error?.code === "not_found", "not found");
const runs = await client.GET("/v1/runs", { params: { query: { limit: 1 } } });
check(runs.data?.items.length === 1, "runs");
console.log("TypeScript: five calls");
