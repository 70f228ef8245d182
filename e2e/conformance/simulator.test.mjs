// The official client of Qlik Cloud against the simulator: what it sends must be accepted, what it gets understood.
import assert from "node:assert/strict";
import { test } from "node:test";

import licenses from "@qlik/api/licenses";
import tenants from "@qlik/api/tenants";
import users from "@qlik/api/users";

import { create, failure, on, port, ready, regional, register } from "./shared.mjs";

test("a tenant is created, read and patched", async () => {
  const made = await tenants.createTenant({ licenseKey: ready.licenseKey, datacenter: "us-east-1" }, register());
  assert.equal(made.status, 201);
  const { id, hostnames } = made.data;
  assert.match(id, /^[A-Za-z0-9_-]{32}$/);
  assert.equal(made.data.status, "active");

  const mine = await tenants.getMyTenant(on(hostnames[0]));
  assert.equal(mine.data.id, id);
  const patch = await tenants.patchTenant(
    id,
    [
      { op: "replace", path: "/name", value: "Conformance" },
      { op: "replace", path: "/hostnames/1", value: `conformance-${port}.us.${ready.domain}` },
      { op: "replace", path: "/enableAppOpeningFeedback", value: true },
    ],
    on(hostnames[0]),
  );
  assert.equal(patch.status, 204);
  // the default scope of the client suffices for reading, here under the new alias
  const read = await tenants.getTenant(id, on(`conformance-${port}.us.${ready.domain}`, undefined));
  assert.equal(read.data.name, "Conformance");
  assert.equal(read.data.enableAppOpeningFeedback, true);
  assert.equal(read.data.hostnames.length, 2);

  const bad = await failure(tenants.patchTenant(id, [{ op: "replace", path: "/status", value: "x" }], on(hostnames[0])));
  assert.equal(bad.http, 400);
  const nobody = await failure(tenants.getTenant("nobody", on(hostnames[0])));
  assert.deepEqual([nobody.code, nobody.title], ["TENANTS-8", "Not found"]);
});

test("creation is refused with Qlik's codes", async () => {
  assert.equal((await failure(tenants.createTenant({}, register()))).code, "TENANTS-21");
  assert.equal((await failure(tenants.createTenant({ licenseKey: "x" }, register()))).code, "TENANTS-23");
});

test("the bot and the licence of a new tenant can be read", async () => {
  const { id, hostnames } = await create();
  const me = await users.getMyUser(on(hostnames[0]));
  assert.equal(me.data.tenantId, id);
  assert.equal(me.data.subject, `qlikbot\\${regional.clientId}`);
  const overview = await licenses.getLicenseOverview(on(hostnames[0]));
  assert.equal(overview.data.licenseKey, ready.licenseKey);
});

test("a tenant is deactivated and reactivated with the confirm header", async () => {
  const { id, hostnames } = await create();
  const [host] = hostnames;
  const body = { purgeAfterDays: 10 };
  assert.equal((await failure(tenants.deactivateTenant(id, body, register()))).http, 400);
  assert.equal((await failure(tenants.deactivateTenant(id, body, register(`x.us.${ready.domain}`)))).http, 412);
  assert.equal((await failure(tenants.deactivateTenant(id, { purgeAfterDays: 9 }, register(host)))).http, 400);

  const before = Date.now();
  const gone = await tenants.deactivateTenant(id, body, register(host.toUpperCase()));
  assert.deepEqual([gone.status, gone.data.id, gone.data.status], [200, id, "disabled"]);
  const days = (Date.parse(gone.data.estimatedPurgeDate) - before) / 86_400_000;
  assert.ok(days > 9.9 && days < 10.1, `${days} days`);

  assert.equal((await failure(tenants.reactivateTenant(id, {}, register(`x.us.${ready.domain}`)))).http, 412);
  const back = await tenants.reactivateTenant(id, undefined, register(host));
  assert.equal(back.status, 200);
  assert.equal((await tenants.getTenant(id, on(host))).data.status, "active");
});

test("a disabled tenant answers 401 with its code, to tokens too", async () => {
  const { id, hostnames } = await create();
  await tenants.deactivateTenant(id, { purgeAfterDays: 10 }, register(hostnames[0]));
  const answer = await fetch(`https://${hostnames[0]}:${port}/oauth/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      grant_type: "client_credentials",
      client_id: regional.clientId,
      client_secret: regional.clientSecret,
    }),
  });
  assert.equal(answer.status, 401);
  const { errors, traceId } = await answer.json();
  assert.deepEqual([errors[0].code, errors[0].status, typeof traceId], ["TENANT_DISABLED", "401", "string"]);
  // the client gives up already while it asks for a token, and passes the reason on
  await assert.rejects(tenants.getTenant(id, on(hostnames[0])), { errors: [{ ...errors[0] }] });
});
