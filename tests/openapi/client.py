"""Calls the demo with the generated Python client: five calls, whose answers are typed."""

import sys

from meshtriage_client import Client
from meshtriage_client.api.istioctl import analyze, check_inject
from meshtriage_client.api.kubectl import crds
from meshtriage_client.api.runs import list_runs
from meshtriage_client.api.steps import list_steps

client = Client(base_url=sys.argv[1], raise_on_unexpected_status=True)
steps = list_steps.sync(client=client)
assert len(steps.items) > 20, steps
analysis = analyze.sync(client=client, all_namespaces=True)
assert analysis.run.state == "succeeded", analysis.run
assert analysis.findings and analysis.findings[0].code, analysis.summary
types = crds.sync(client=client)
assert any(crd.kind == "VirtualService" for crd in types.data.crds), types.summary
missing = check_inject.sync(client=client, namespace="no-such-namespace")
assert missing.code == "not_found", missing
runs = list_runs.sync(client=client, limit=1)
assert len(runs.items) == 1, runs
print("Python: five calls")
