// What both launchers share: their options, and a Node HTTP server on 127.0.0.1 that says where it is.
import { createHash, webcrypto } from "node:crypto";

// Node 18, which is Debian 12's, has it, but not yet as a global; better-auth expects that.
globalThis.crypto ??= webcrypto;

// "--name value" pairs over `defaults`; numbers where the default is one. An unknown name ends the program.
export function options(defaults) {
  const chosen = { port: 0, token: "postern-scim-token", seed: 1, ...defaults };
  const words = process.argv.slice(2);
  while (words.length > 0) {
    const name = (words.shift() ?? "").replace(/^--/, "");
    const value = words.shift();
    if (!Object.hasOwn(chosen, name) || value === undefined) {
      const names = Object.keys(chosen).map((known) => `--${known}`).join(" ");
      process.stderr.write(`unknown option, or one without a value: ${name}; known: ${names}\n`);
      process.exit(1);
    }
    if (typeof chosen[name] === "number" && !/^\d+$/.test(value)) {
      process.stderr.write(`--${name} takes a number, not ${value}\n`);
      process.exit(1);
    }
    chosen[name] = typeof chosen[name] === "number" ? Number(value) : value;
  }
  return chosen;
}

// An id that is the same in every run with the same seed, in the form of a UUID.
export function seededId(seed, kind, number) {
  const hex = createHash("sha256").update(`${seed}/${kind}/${number}`).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`,
    hex.slice(20, 32)].join("-");
}

export const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const departments = ["Marketing", "Sales", "Finance", "Legal", "Research", "Logistics", "Production",
  "Support", "Purchasing", "Quality", "Design", "Security", "Facilities", "Training", "Press", "Events",
  "Partners", "Data", "Audit", "Board"];
const given = ["Jo", "Li", "Sam", "Ana", "Kim", "Max", "Eva", "Tom", "Zoë", "Noé"];
const family = ["Hart", "Wong", "Ode", "Silva", "Berg", "Novak", "Rossi", "Meyer", "Ito", "Adams", "Lund"];

// Person `number` (from 1): every 50th is inactive, departments go round.
export function person(number) {
  const name = `u${String(number).padStart(6, "0")}`;
  const first = given[number % given.length];
  const last = family[number % family.length];
  return {
    userName: name,
    externalId: `E${String(number).padStart(6, "0")}`,
    name: { givenName: first, familyName: last, formatted: `${first} ${last}` },
    displayName: `${first} ${last} ${number}`,
    emails: [{ value: `${name}@example.test`, type: "work", primary: true }],
    active: number % 50 !== 0,
    [enterprise]: {
      employeeNumber: `E${String(number).padStart(6, "0")}`,
      department: departments[number % departments.length],
    },
  };
}

// The numbers (from 1) of the people in group `group` (from 0) of `groups`: equal slices, in order.
export function membersOf(group, groups, people) {
  const size = Math.floor(people / groups);
  return Array.from({ length: size }, (_, index) => group * size + index + 1);
}

// Says on standard output where the server is, as one line of JSON.
export function announce(server, path, begin) {
  const url = `http://127.0.0.1:${server.address().port}${path}`;
  process.stdout.write(`${JSON.stringify({ url, milliseconds: Math.round(performance.now() - begin) })}\n`);
}
