// A certified OpenID provider on loopback, for tests: node provider.js HOST REDIRECT_URI
//
// Prints its issuer, which names itself HOST. Anybody logs in with a name; what it says of them stands below. Lines on standard input:
// `later` moves its clock an hour ahead, `rotate` changes its keys. Ends with standard input.

import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'

import Provider from 'oidc-provider'

const PEOPLE = {
  alice: { preferred_username: 'Alice', groups: ['staff', 'ops'] },
  bob: { preferred_username: 'Bob', groups: ['search-team'] },
  mallory: { preferred_username: 'Mallory', groups: ['ops '] },
}

const [host, redirect] = process.argv.slice(2)
// Standard output is for our own lines alone.
console.info = console.error

/** A provider with a new key. What was given away before stays worth what it was. */
function provider(issuer) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig' }
  return new Provider(issuer, {
    clients: [{ client_id: 'costflame', client_secret: 'the client secret', redirect_uris: [redirect] }],
    claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
    scopes: ['openid', 'groups'],
    pkce: { required: () => true },
    jwks: { keys: [key] },
    cookies: { keys: ['a key of the test'] },
    findAccount: (_, name) => ({
      accountId: name,
      claims: () => ({ sub: name, ...PEOPLE[name] }),
    }),
  }).callback()
}

const server = createServer()
let issuer
server.listen(0, '127.0.0.1', () => {
  issuer = `http://${host}:${server.address().port}`
  server.on('request', provider(issuer))
  console.log(issuer)
})

let ahead = 0
const now = Date.now
Date.now = () => now() + ahead
const input = createInterface({ input: process.stdin })
input.on('line', (line) => {
  if (line === 'later') ahead += 3_600_000
  if (line === 'rotate') {
    server.removeAllListeners('request')
    server.on('request', provider(issuer))
  }
  console.log('done')
})
input.on('close', () => process.exit())
