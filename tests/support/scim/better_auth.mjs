// better-auth's SCIM plugin over its in-memory adapter: the strict server.
//
//   node better_auth.mjs [--port 0] [--users 300] [--groups 5]
//
// SCIM under /api/auth/scim/v2, with the bearer --token. Every group has ten members.
import { createServer } from "node:http";
import { announce, enterprise, options, person } from "./common.mjs";
import { scim } from "@better-auth/scim";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";

const begin = performance.now();
const chosen = options({ users: 300, groups: 5 });
const path = "/api/auth/scim/v2";
// The adapter wants every table to be there.
const tables = ["user", "session", "account", "verification", "scimConnectionBinding",
  "scimIdentityTombstone", "scimSubject", "scimUser", "scimProjectionGrant", "scimGroup",
  "scimGroupMember"];
const database = Object.fromEntries(tables.map((table) => [table, []]));

function start(port) {
  return betterAuth({
    baseURL: `http://127.0.0.1:${port}`,
    secret: "only-on-loopback-and-only-for-tests-0123456789",
    database: memoryAdapter(database),
    telemetry: { enabled: false },
    rateLimit: { enabled: false },
    plugins: [scim({ connections: [{
      id: "postern",
      credentials: [{ type: "bearer", id: "tests", token: chosen.token }],
    }] })],
  });
}

async function create(auth, port, kind, resource) {
  const answer = await auth.handler(new Request(`http://127.0.0.1:${port}${path}/${kind}`, {
    method: "POST",
    headers: { authorization: `Bearer ${chosen.token}`, "content-type": "application/scim+json" },
    body: JSON.stringify(resource),
  }));
  if (answer.status !== 201) throw new Error(`POST /${kind}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()).id;
}

// Through the plugin itself, one by one. Its adapter copies the whole database for each write, so the rows
// that are finished are kept aside: 300 users take 3 s, not 20.
async function seed(auth, port) {
  const aside = Object.fromEntries(["user", "scimSubject", "scimUser"].map((table) => [table, []]));
  const ids = [];
  for (let number = 1; number <= chosen.users; number += 1) {
    const { [enterprise]: work, ...user } = person(number);
    ids.push(await create(auth, port, "Users", {
      schemas: ["urn:ietf:params:scim:schemas:core:2.0:User", enterprise], ...user, [enterprise]: work,
    }));
    for (const table of Object.keys(aside)) aside[table].push(...database[table].splice(0));
  }
  for (const table of Object.keys(aside)) database[table].push(...aside[table]);
  for (let number = 0; number < chosen.groups; number += 1) {
    const members = ids.slice(number * 10, number * 10 + 10).map((value) => ({ value }));
    await create(auth, port, "Groups", {
      schemas: ["urn:ietf:params:scim:schemas:core:2.0:Group"],
      displayName: `group ${String(number).padStart(3, "0")}`, members,
    });
  }
}

// The address is part of every answer, so the port must be known before the seeding; until that is done the
// server answers 503.
const server = createServer();
let handle = (_request, response) => response.writeHead(503).end();
server.on("request", (request, response) => handle(request, response));
server.listen(chosen.port, "127.0.0.1", async () => {
  const { port } = server.address();
  const auth = start(port);
  await seed(auth, port);
  handle = toNodeHandler(auth);
  announce(server, path, begin);
});
