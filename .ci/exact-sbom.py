#!/usr/bin/env python3
"""Leaves in an SBOM (CycloneDX, JSON) what is in the program, and ends with 1 when something of that is missing.

    cargo tree --edges normal --prefix none ... | exact-sbom.py SBOM > EXACT

`cargo cyclonedx` asks for the whole workspace, so what only the stand-ins and tests of the workspace turn on is in what it
writes, a second TLS provider for instance. `cargo tree` tells what one package is built of.
"""
import json
import os
import sys


def main() -> int:
    with open(sys.argv[1], encoding="utf-8") as file:
        # Where the builder keeps its sources is nobody's business.
        sbom = json.loads(file.read().replace(f"file://{os.getcwd()}", "file://."))
    own = sbom["metadata"]["component"]
    # "serde v1.0.228 (proc-macro)", with a path behind it for the program itself, "(*)" for what was told before.
    lines = [line.split() for line in sys.stdin if line.strip()]
    wanted = {(name, version.removeprefix("v")) for name, version, *_ in lines}
    wanted.discard((own["name"], own["version"]))
    there = {(each["name"], each["version"]) for each in sbom["components"]}
    missing = sorted(wanted - there)
    if missing or not wanted:
        print(f"the SBOM lacks {missing or 'everything'}", file=sys.stderr)
        return 1
    sbom["components"] = [each for each in sbom["components"] if (each["name"], each["version"]) in wanted]
    left = {each["bom-ref"] for each in sbom["components"]} | {own["bom-ref"]}
    dependencies = [each for each in sbom["dependencies"] if each["ref"] in left]
    for each in dependencies:
        if "dependsOn" in each:
            each["dependsOn"] = [ref for ref in each["dependsOn"] if ref in left]
    sbom["dependencies"] = dependencies
    json.dump(sbom, sys.stdout, indent=2)
    print()
    return 0


sys.exit(main())
