// scimmy with scimmy-routers over two Maps: people and groups, seeded, in memory.
//
//   node scimmy.mjs [--port 0] [--users 10000] [--groups 100] [--maximum 1000] [--unique yes] [--life 3600]
//
// SCIM under /scim. It takes the bearer --token, basic authentication (postern, --token), and tokens from
// POST /oauth2/token (client credentials postern, --token) that live --life seconds.
// The side door, without authentication, for tests:
//   POST   /control/churn   {"after": PAGES, "delete": COUNT, "create": COUNT}: when a walk over the users has been
//                           given PAGES pages with COUNT users or more, COUNT of them, spread evenly, are deleted,
//                           and as many new ones as "create" says come at the end of the listing. Once.
//   GET    /control/requests  how many requests came, by method and path without ids; DELETE sets to nothing
//   DELETE /control/tokens    forgets the tokens that were given out
//   POST   /control/reset     the first people and groups again, with their ids
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";
import { announce, membersOf, options, person, seededId } from "./common.mjs";

// An extension of our own, under the one prefix that scimmy takes: RFC 7643 section 4.1 has X.509 alone.
const sshKeys = "urn:ietf:params:scim:schemas:extension:sshkeys:2.0:User";
const begin = performance.now();
const chosen = options({ users: 10000, groups: 100, maximum: 1000, unique: "yes", life: 3600 });
const users = new Map();
const groups = new Map();
const walk = { pages: [], churn: null, next: 1 };
const asked = new Map();
const tokens = new Map(); // token to the end of its life

function now() {
  return new Date().toISOString();
}

// The next person, at the end of the listing.
function hire(times) {
  const id = seededId(chosen.seed, "user", walk.next);
  users.set(id, { id, ...person(walk.next), ...times });
  walk.next += 1;
}

function seed() {
  const created = now();
  const times = { meta: { created, lastModified: created } };
  users.clear();
  groups.clear();
  Object.assign(walk, { pages: [], churn: null, next: 1 });
  for (let number = 1; number <= chosen.users; number += 1) hire(times);
  for (let number = 0; number < chosen.groups; number += 1) {
    const id = seededId(chosen.seed, "group", number);
    const members = membersOf(number, chosen.groups, chosen.users)
      .map((member) => ({ value: seededId(chosen.seed, "user", member), type: "User" }));
    groups.set(id, { id, displayName: `group ${String(number).padStart(3, "0")}`, members, ...times });
  }
}

// The library builds an object for each resource that it is given, so a page is cut here: 10,000 users would
// take 17 s and more a page. Sorting is left to the library, which then needs all of them.
function page(resource, all) {
  const found = resource.filter ? resource.filter.match(all) : all;
  const constraints = resource.constraints ?? {};
  const count = Math.min(constraints.count ?? 20, chosen.maximum);
  resource.constraints = { ...constraints, count };
  if (constraints.sortBy !== undefined) return found;
  resource.constraints.totalResults = found.length;
  const start = (constraints.startIndex ?? 1) - 1;
  return found.slice(start, start + count);
}

function drop(id) {
  users.delete(id);
  for (const group of groups.values()) {
    if (group.members?.some((member) => member.value === id)) {
      group.members = group.members.filter((member) => member.value !== id);
    }
  }
}

// Called for every page of an unfiltered walk over the users; deletes what /control/churn asked for.
function given(resource, rows) {
  if ((resource.constraints.startIndex ?? 1) === 1) walk.pages = [];
  walk.pages.push(rows.map((user) => user.id));
  if (walk.churn === null || walk.pages.length < walk.churn.after) return;
  const read = walk.pages.flat();
  // A client that looks at one user first hasn't begun its walk.
  const count = walk.churn.delete;
  if (read.length < count) return;
  const { create } = walk.churn;
  walk.churn = null;
  for (let index = 0; index < count; index += 1) drop(read[Math.floor(index * read.length / count)]);
  const created = now();
  for (let index = 0; index < create; index += 1) hire({ meta: { created, lastModified: created } });
}

function read(store) {
  return (resource) => {
    if (resource.id) {
      if (!store.has(resource.id)) throw new SCIMMY.Types.Error(404, null, `${resource.id} not found`);
      return store.get(resource.id);
    }
    const rows = page(resource, [...store.values()]);
    if (store === users && !resource.filter) setImmediate(() => given(resource, rows));
    return rows;
  };
}

function write(store) {
  return (resource, instance) => {
    if (resource.id && !store.has(resource.id)) {
      throw new SCIMMY.Types.Error(404, null, `${resource.id} not found`);
    }
    const { schemas: _schemas, meta: _meta, ...fields } = JSON.parse(JSON.stringify(instance));
    const id = resource.id ?? seededId(randomBytes(8).toString("hex"), "new", 0);
    const name = fields.userName?.toLowerCase();
    if (store === users && chosen.unique === "yes" &&
        [...users.values()].some((user) => user.id !== id && user.userName.toLowerCase() === name)) {
      throw new SCIMMY.Types.Error(409, "uniqueness", `userName ${fields.userName} is taken`);
    }
    const created = store.get(id)?.meta.created ?? now();
    store.set(id, { ...fields, id, meta: { created, lastModified: now() } });
    return store.get(id);
  };
}

function remove(store) {
  return (resource) => {
    if (!store.has(resource.id)) throw new SCIMMY.Types.Error(404, null, `${resource.id} not found`);
    if (store === users) drop(resource.id);
    else store.delete(resource.id);
  };
}

// Throws when the request carries nothing that is accepted.
function authenticate(request) {
  const [scheme, secret] = (request.header("authorization") ?? "").split(" ");
  const basic = Buffer.from(`postern:${chosen.token}`).toString("base64");
  if (scheme === "Bearer" && (secret === chosen.token || tokens.get(secret) > Date.now())) return "postern";
  if (scheme === "Basic" && secret === basic) return "postern";
  throw new Error("Authorization not accepted");
}

// RFC 6749 section 4.4; the client in the form or by basic authentication (section 2.3.1).
function giveToken(request, response) {
  const basic = Buffer.from(`postern:${chosen.token}`).toString("base64");
  const known = request.header("authorization") === `Basic ${basic}` ||
    (request.body.client_id === "postern" && request.body.client_secret === chosen.token);
  if (!known) return response.status(401).json({ error: "invalid_client" });
  if (request.body.grant_type !== "client_credentials") {
    return response.status(400).json({ error: "unsupported_grant_type" });
  }
  const token = randomBytes(24).toString("base64url");
  tokens.set(token, Date.now() + chosen.life * 1000);
  return response.json({ access_token: token, token_type: "Bearer", expires_in: chosen.life });
}

function control() {
  const router = express.Router();
  router.use(express.json());
  router.post("/churn", (request, response) => {
    walk.churn = { after: request.body.after, delete: request.body.delete, create: request.body.create ?? 0 };
    response.sendStatus(204);
  });
  router.post("/reset", (_request, response) => { seed(); response.sendStatus(204); });
  router.get("/requests", (_request, response) => response.json(Object.fromEntries(asked)));
  router.delete("/requests", (_request, response) => { asked.clear(); response.sendStatus(204); });
  router.delete("/tokens", (_request, response) => { tokens.clear(); response.sendStatus(204); });
  return router;
}

function count(request, _response, next) {
  const key = `${request.method} ${request.baseUrl}${request.path.replace(/(Users|Groups)\/.+/, "$1/ID")}`;
  asked.set(key, (asked.get(key) ?? 0) + 1);
  next();
}

SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser, false);
SCIMMY.Resources.User.extend(new SCIMMY.Types.SchemaDefinition("SshKeys", sshKeys, "SSH public keys of a user", [
  new SCIMMY.Types.Attribute("string", "keys", { multiValued: true, caseExact: true,
    description: "One line of an OpenSSH public key each" }),
]), false);
for (const [type, store] of [[SCIMMY.Resources.User, users], [SCIMMY.Resources.Group, groups]]) {
  SCIMMY.Resources.declare(type).ingress(write(store)).egress(read(store)).degress(remove(store));
}
seed();
const application = express();
application.use("/control", control());
application.post("/oauth2/token", count, express.urlencoded({ extended: false }), giveToken);
application.use("/scim", count, new SCIMMYRouters({ type: "bearer", handler: authenticate }));
const server = createServer(application);
server.listen(chosen.port, "127.0.0.1", () => announce(server, "/scim", begin));
