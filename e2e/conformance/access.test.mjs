// The official client's functions for identity providers and OAuth clients against the simulator.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { before, test } from "node:test";

import identityProviders from "@qlik/api/identity-providers";
import oauthClients from "@qlik/api/oauth-clients";
import oauthTokens from "@qlik/api/oauth-tokens";
import users from "@qlik/api/users";

import { create, failure, on } from "./shared.mjs";

let host;
before(async () => {
  [host] = (await create()).hostnames;
});

const login = {
  clientId: "app",
  clientSecret: "secret",
  discoveryUrl: "https://idp.example.com/.well-known/openid-configuration",
  claimsMapping: { sub: ["/sub"], name: ["/name"], email: ["/email"] },
};

const oidc = { protocol: "OIDC", provider: "azureAD", interactive: true, skipVerify: true, options: login };

const jwt = () => {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const pem = publicKey.export({ type: "spki", format: "pem" }).split("\n").join("");
  const options = { issuer: "https://issuer.example.com", staticKeys: [{ kid: "one", pem }] };
  return { protocol: "jwtAuth", provider: "external", options };
};

test("an OIDC provider is made, activated, listed and removed", async () => {
  const made = await identityProviders.createIdp(oidc, on(host));
  assert.equal(made.status, 201);
  assert.match(made.data.id, /^[0-9a-f]{24}$/);
  const { id } = made.data;
  const patch = [
    { op: "replace", path: "/active", value: true },
    { op: "replace", path: "/description", value: "corporate login" },
  ];
  assert.equal((await identityProviders.patchIdp(id, patch, on(host))).status, 204);
  const read = await identityProviders.getIdp(id, on(host));
  assert.deepEqual([read.data.active, read.data.description, read.data.provider], [true, "corporate login", "azureAD"]);
  assert.match(read.headers.get("qlik-idp-popts"), /^[0-9a-f]+$/);
  const listed = await identityProviders.getIdps({ active: true, limit: 5 }, on(host));
  assert.deepEqual(
    listed.data.data.map((idp) => idp.id),
    [id],
  );
  assert.equal((await identityProviders.getIdpStatuses(on(host))).data.active_interactive_idps_count, 1);
  assert.equal((await failure(identityProviders.getMyIdpMeta(on(host)))).http, 404);
  assert.equal((await identityProviders.deleteIdp(id, on(host))).status, 204);
  assert.equal(typeof (await identityProviders.getMyIdpMeta(on(host))).data.userPortalLink, "string");
  assert.equal((await failure(identityProviders.getIdp(id, on(host)))).http, 404);
  assert.equal((await identityProviders.getIdpWellKnownMetaData(on(host))).status, 200);
});

test("pending options wait for a person and hold their version", async () => {
  const { skipVerify, options, ...rest } = oidc;
  const made = await identityProviders.createIdp({ ...rest, pendingOptions: options }, on(host));
  const { id, pendingState } = made.data;
  assert.equal(pendingState, "pending");
  const change = [{ op: "replace", path: "/pendingOptions/realm", value: "example.com" }];
  const stale = on(host, "", { headers: { "QLIK-IDP-POPTS-MATCH": "stale" } });
  assert.equal((await failure(identityProviders.patchIdp(id, change, stale))).http, 412);
  const current = on(host, "", { headers: { "QLIK-IDP-POPTS-MATCH": made.headers.get("qlik-idp-popts") } });
  assert.equal((await identityProviders.patchIdp(id, change, current)).status, 204);
  assert.equal((await failure(identityProviders.patchIdp(id, [{ op: "promote-options" }], on(host)))).http, 400);
});

test("a JWT provider takes a key of Node.js on one line", async () => {
  const made = await identityProviders.createIdp(jwt(), on(host));
  assert.deepEqual([made.status, made.data.active], [201, true]);
  const folded = jwt();
  folded.options.staticKeys[0].pem = folded.options.staticKeys[0].pem.replace("-----M", "-----\nM");
  const refused = await failure(identityProviders.createIdp(folded, on(host)));
  assert.deepEqual([refused.http, refused.status], [400, 400]);
});

const machine = {
  appType: "web",
  clientName: "conformance",
  allowedGrantTypes: ["client_credentials"],
  allowedScopes: ["user_default", "admin_classic"],
};

test("a machine's client is made, trusted, used, rotated and removed", async () => {
  const made = await oauthClients.createOAuthClient(machine, on(host));
  assert.equal(made.status, 201);
  const { clientId, clientSecret } = made.data;
  assert.match(clientId, /^[0-9a-z]{32}$/);
  const trust = [{ op: "replace", path: "/consentMethod", value: "trusted" }];
  assert.equal((await oauthClients.patchOAuthClientConnectionConfig(clientId, trust, on(host))).status, 204);
  const config = await oauthClients.getOAuthClientConnectionConfig(clientId, on(host));
  assert.equal(config.data.consentMethod, "trusted");

  const me = await users.getMyUser(on(host, undefined, {}, made.data));
  assert.equal(me.data.subject, `qlikbot\\${clientId}`);
  const second = await oauthClients.createOAuthClientSecret(clientId, on(host));
  assert.deepEqual([second.status, second.data.hint], [201, second.data.clientSecret.slice(0, 5)]);
  const hint = clientSecret.slice(0, 5);
  assert.equal((await oauthClients.deleteOAuthClientSecret(clientId, hint, on(host))).status, 204);
  await assert.rejects(users.getMyUser(on(host, undefined, {}, made.data)));
  assert.equal((await users.getMyUser(on(host, undefined, {}, second.data))).data.id, me.data.id);

  const rename = [{ op: "replace", path: "/clientName", value: "renamed" }];
  assert.equal((await oauthClients.patchOAuthClient(clientId, rename, on(host))).status, 204);
  assert.equal((await oauthClients.getOAuthClient(clientId, on(host))).data.clientName, "renamed");
  const tokens = (await oauthTokens.getOauthTokens({ userId: me.data.id }, on(host))).data.data;
  assert.ok(tokens.length >= 2);
  assert.equal((await oauthTokens.deleteOauthToken(tokens[0].id, on(host))).status, 204);

  assert.ok((await oauthClients.publishOAuthClient(clientId, on(host))).data.publishedAt);
  assert.equal((await failure(oauthClients.deleteOAuthClient(clientId, on(host)))).http, 400);
  const confirmed = on(host, "", { headers: { "qlik-confirm-delete": clientId } });
  assert.equal((await oauthClients.deleteOAuthClient(clientId, confirmed)).status, 204);
  await assert.rejects(users.getMyUser(on(host, undefined, {}, second.data)), { errors: [{ code: "OAUTH-14", title: "Invalid client_id", detail: "OAuth client is not authorized" }] });
});

test("a change that makes a secret answers 202 with it", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const { kty, crv, x, y } = privateKey.export({ format: "jwk" });
  const publicKeys = [{ kty, crv, x, y, kid: "k", alg: "ES384", use: "sig" }];
  const keyed = { ...machine, allowedAuthMethods: ["private_key_jwt"], publicKeys };
  const { clientId } = (await oauthClients.createOAuthClient(keyed, on(host))).data;
  const method = [{ op: "add", path: "/allowedAuthMethods", value: "client_secret" }];
  const changed = await oauthClients.patchOAuthClient(clientId, method, on(host));
  assert.deepEqual([changed.status, changed.data.clientSecret.length], [202, 64]);
  assert.equal((await oauthClients.deleteOAuthClientConnectionConfig(clientId, on(host))).status, 204);
});

test("clients are listed in pages", async () => {
  for (const clientName of ["listed-a", "listed-b"]) {
    await oauthClients.createOAuthClient({ appType: "spa", clientName }, on(host));
  }
  const query = { filter: 'clientName co "listed-"', sort: "-clientName", limit: 1, totalResults: true };
  const page = await oauthClients.getOAuthClients(query, on(host));
  assert.deepEqual([page.data.data[0].clientName, page.data.totalResults], ["listed-b", 2]);
  const next = await page.next();
  assert.equal(next.data.data[0].clientName, "listed-a");
});
