//! A cloud in which every answer of the simulator has all its fields, and the way to each of them.

use e2e::sim::{BrowserTest, Options};
use reqwest::Method;
use serde_json::{Value, json};

use super::cloud::{CONSOLE, Cloud, REGISTER};
use super::keys::Signer;
use super::office::Office;

const CLIENTS: &str = "/api/v1/oauth-clients";
const LOGINS: &str = "/api/v1/identity-providers";
const USERS: &str = "/api/v1/users";
const ORGANIZATION: &str = "/api/core/tenants";

pub(crate) struct Gallery {
    pub(crate) office: Office,
    key: Signer,
    register: String,
    tenant: String,
    console: String,
    /// A tenant to deactivate and reactivate, and its host name.
    spare: (String, String),
    client: String,
    provider: String,
}

impl Gallery {
    pub(crate) async fn open() -> Self {
        let office = Office::open("", Options::default()).await;
        let cloud = &office.cloud;
        let spare = cloud.tenant().await;
        let (doomed, _) = cloud.tenant().await;
        cloud.sim.deactivate(&doomed, 10).unwrap();
        let register = cloud.token(REGISTER, &cloud.us()).await;
        // two, for two pages of the list
        cloud.token(&office.host, &cloud.us()).await;
        let tenant = cloud.token(&office.host, &cloud.us()).await;
        let console = cloud.token(CONSOLE, &cloud.sim.ready().organization).await;
        let (client, provider) = (String::new(), String::new());
        let mut all = Self { office, key: Signer::ec(), register, tenant, console, spare, client, provider };
        all.client = text(&all.at_tenant("POST", CLIENTS, Some(all.client_body())).await["clientId"]);
        all.at_tenant("POST", CLIENTS, Some(all.client_body())).await;
        all.at_tenant("POST", &format!("{CLIENTS}/{}/actions/publish", all.client), None).await;
        for body in all.provider_bodies() {
            all.provider = text(&all.at_tenant("POST", LOGINS, Some(body)).await["id"]);
        }
        let sim = &all.office.cloud.sim;
        sim.browser_test(&all.office.id, &all.provider, BrowserTest::TokenError).unwrap();
        all.at_tenant("POST", USERS, Some(json!({ "subject": "first", "email": "first@example.com" }))).await;
        all
    }

    /// The answers that hold the fields of a group.
    pub(crate) async fn answers(&self, group: &str) -> Vec<Value> {
        let client = format!("{CLIENTS}/{}", self.client);
        match group {
            "tenants" => self.tenants().await,
            "deactivate" => vec![self.action("deactivate").await],
            "reactivate" => vec![self.action("reactivate").await],
            "organization" | "organizationList" => self.organization(group).await,
            "token" => vec![self.office.cloud.ask_token(&self.office.host, &self.office.cloud.us()).await.body],
            "oauthClients" | "oauthClient" => {
                let made = self.at_tenant("POST", CLIENTS, Some(self.client_body())).await;
                let mut answers = vec![made, self.at_tenant("GET", &client, None).await];
                if group == "oauthClients" {
                    answers.push(self.at_tenant("GET", &format!("{CLIENTS}?limit=100"), None).await);
                }
                answers
            }
            "clientSecrets" => {
                let made = self.at_tenant("POST", &format!("{client}/client-secrets"), None).await;
                let hint = text(&made["hint"]);
                self.at_tenant("DELETE", &format!("{client}/client-secrets/{hint}"), None).await;
                vec![made]
            }
            "connectionConfig" => vec![self.at_tenant("GET", &format!("{client}/connection-configs/me"), None).await],
            "oauthTokens" => vec![self.at_tenant("GET", "/api/v1/oauth-tokens?limit=100", None).await],
            "identityProviders" => {
                let one = format!("{LOGINS}/{}", self.provider);
                let made = self.at_tenant("POST", LOGINS, Some(self.jwt_body())).await;
                // a page would be too short for one more each time
                self.at_tenant("DELETE", &format!("{LOGINS}/{}", text(&made["id"])), None).await;
                vec![
                    made,
                    self.at_tenant("GET", &one, None).await,
                    self.at_tenant("GET", &format!("{LOGINS}?limit=100"), None).await,
                ]
            }
            "identityProvidersStatus" => vec![self.at_tenant("GET", &format!("{LOGINS}/status"), None).await],
            "identityProvidersMeta" => vec![self.at_tenant("GET", &format!("{LOGINS}/me/meta"), None).await],
            "users" => self.users().await,
            "oauthClientsList" => vec![self.last_page(CLIENTS).await],
            "oauthTokensList" => vec![self.last_page("/api/v1/oauth-tokens").await],
            "identityProvidersList" => vec![self.last_page(LOGINS).await],
            "usersList" => vec![self.last_page(USERS).await],
            "licenses" => vec![self.at_tenant("GET", "/api/v1/licenses/overview", None).await],
            // no answer has them, which the tests find out
            _ => Vec::new(),
        }
    }

    async fn ask(&self, method: &str, (url, token): (&str, &str), body: Option<Value>) -> super::cloud::Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.office.cloud.http.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = Cloud::answer(request).await;
        assert!(answer.status.is_success() || answer.status.is_redirection(), "{url} {answer:?}");
        answer
    }

    async fn at_tenant(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let url = self.office.cloud.url(&self.office.host, path);
        self.ask(method, (&url, &self.tenant), body).await.body
    }

    async fn at_console(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let url = self.office.cloud.url(CONSOLE, path);
        self.ask(method, (&url, &self.console), body).await.body
    }

    async fn tenants(&self) -> Vec<Value> {
        let url = self.office.cloud.url(REGISTER, "/api/v1/tenants");
        let body = json!({ "licenseKey": self.office.cloud.sim.ready().license_key });
        let made = self.ask("POST", (&url, &self.register), Some(body)).await.body;
        vec![made, self.at_tenant("GET", &format!("/api/v1/tenants/{}", self.office.id), None).await]
    }

    async fn action(&self, action: &str) -> Value {
        let (id, host) = &self.spare;
        let answer = self.office.cloud.action(id, action, Some(host), None).await;
        assert_eq!(answer.status, 200);
        answer.body
    }

    async fn organization(&self, group: &str) -> Vec<Value> {
        if group == "organizationList" {
            return vec![self.last_page(ORGANIZATION).await];
        }
        let list = self.at_console("GET", &format!("{ORGANIZATION}?limit=100"), None).await;
        let id = text(&list["data"][0]["id"]);
        vec![
            list,
            self.at_console("GET", &format!("{ORGANIZATION}/{id}"), None).await,
            self.at_console("POST", &format!("{ORGANIZATION}/actions/filter?limit=100"), Some(json!({}))).await,
        ]
    }

    async fn users(&self) -> Vec<Value> {
        let all = format!("{USERS}?limit=100");
        let subject = format!("user {}", self.at_tenant("GET", &all, None).await["data"].as_array().unwrap().len());
        let made = self.at_tenant("POST", USERS, Some(json!({ "subject": subject }))).await;
        let me = self.office.cloud.url(&self.office.host, &format!("{USERS}/me"));
        let me = self.ask("GET", (&me, &self.tenant), None).await;
        let me = me.headers["location"].to_str().unwrap().to_owned();
        vec![made, self.at_tenant("GET", &me, None).await, self.at_tenant("GET", &all, None).await]
    }

    /// The last of two pages of a list.
    async fn last_page(&self, path: &str) -> Value {
        let (host, token) = match path {
            ORGANIZATION => (CONSOLE, &self.console),
            _ => (self.office.host.as_str(), &self.tenant),
        };
        let url = |query: &str| self.office.cloud.url(host, &format!("{path}?{query}"));
        let all = self.ask("GET", (&url("limit=100"), token), None).await.body["data"].as_array().unwrap().len();
        // the other lists do not know the parameter
        let total = if [ORGANIZATION, CLIENTS, USERS].contains(&path) { "&totalResults=true" } else { "" };
        let first = url(&format!("limit={}{total}", all - 1));
        let next = text(&self.ask("GET", (&first, token), None).await.body["links"]["next"]["href"]);
        let last = self.ask("GET", (&next, token), None).await.body;
        assert_eq!(last["data"].as_array().unwrap().len(), 1, "of {all} at {path}");
        last
    }

    /// A client with every setting.
    fn client_body(&self) -> Value {
        json!({
            "appType": "web", "clientName": "full", "description": "all of it", "clientUri": "https://app.example.com",
            "logoUri": "https://app.example.com/logo.png", "redirectUris": ["https://app.example.com/back"],
            "allowedOrigins": ["https://app.example.com"], "allowedScopes": ["user_default"],
            "allowedGrantTypes": ["client_credentials"], "allowedAuthMethods": ["client_secret", "private_key_jwt"],
            "publicKeys": [self.key.jwk("one")], "jwksUri": "https://app.example.com/jwks",
            "connectionConfig": { "consentMethod": "trusted" },
        })
    }

    fn jwt_body(&self) -> Value {
        json!({ "protocol": "jwtAuth", "provider": "external", "options": {
            "issuer": "https://issuer.example.com", "staticKeys": [{ "kid": "one", "pem": self.key.line() }] } })
    }

    /// Providers that have every option between them.
    fn provider_bodies(&self) -> Vec<Value> {
        let endpoints = json!({ "issuer": "https://idp.example.com", "jwks_uri": "https://idp.example.com/jwks",
            "token_endpoint": "https://idp.example.com/token", "authorization_endpoint": "https://idp.example.com/a",
            "end_session_endpoint": "https://idp.example.com/end", "userinfo_endpoint": "https://idp.example.com/who",
            "introspection_endpoint": "https://idp.example.com/look" });
        let login = |at: &str, value: Value| {
            let mut login = json!({ "clientId": "app", "clientSecret": "s", "realm": "example.com", "scope": "openid",
                "claimsMapping": { "sub": ["/sub"] }, "allowedClientIds": ["app"], "audience": "qlik",
                "idTokenSignatureAlg": "RS256", "useClaimsFromIdToken": true, "blockOfflineAccessScope": true,
                "emailVerifiedAlwaysTrue": true, "decryptingKey": { "keyType": "RSA", "keySize": 2048 } });
            login[at] = value;
            login
        };
        let explicit = login("openid_configuration", endpoints);
        let found = login("discoveryUrl", json!("https://idp.example.com"));
        let certificate = rcgen::generate_simple_self_signed(vec!["idp.example.com".to_owned()]).unwrap();
        let certificate: String = certificate.cert.pem().lines().collect();
        let saml = json!({ "entityId": "https://idp", "signOnUrl": "https://idp.example.com/sso",
            "certificates": [{ "certificate": certificate, "name": "first", "signature": true, "encryption": false }],
            "claimsMapping": { "sub": ["s"], "name": ["n"], "email": ["m"], "groups": ["g"], "picture": ["p"] } });
        let oidc = |options: &Value, pending: &Value| {
            json!({ "protocol": "OIDC", "provider": "adfs", "interactive": true, "skipVerify": true,
                "options": options, "pendingOptions": pending, "postLogoutRedirectUri": "https://app.example.com" })
        };
        vec![
            self.jwt_body(),
            json!({ "protocol": "SAML", "provider": "okta", "interactive": true, "skipVerify": true,
                "options": saml, "pendingOptions": saml }),
            oidc(&explicit, &explicit),
            oidc(&found, &found),
        ]
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
