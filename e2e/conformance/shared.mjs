// What the conformance tests share: how the official client is pointed at one host of the simulator.
import assert from "node:assert/strict";

import tenants from "@qlik/api/tenants";

export const ready = JSON.parse(process.env.QLIK_SIM_READY);
export const port = ready.tls.split(":").pop();
export const regional = ready.regional.us;

/** Options of a call to one host. Without `scope` the client asks for `user_default`. */
export const on = (host, scope = "", extra = {}, credentials = regional) => ({
  noCache: true,
  ...extra,
  hostConfig: {
    authType: "oauth2",
    host: `https://${host}:${port}`,
    clientId: credentials.clientId,
    clientSecret: credentials.clientSecret,
    scope,
    noCache: true,
  },
});

export const register = (confirm) => {
  const extra = confirm === undefined ? {} : { headers: { "qlik-confirm-hostname": confirm } };
  return on(`register.us.${ready.domain}`, "", extra);
};

export const create = async () => (await tenants.createTenant({ licenseKey: ready.licenseKey }, register())).data;

/** HTTP status and first error of a call that must fail. */
export const failure = async (call) => {
  const error = await call.then(
    () => assert.fail("the call succeeded"),
    (error) => error,
  );
  return { ...error.data?.errors?.[0], http: error.status };
};
