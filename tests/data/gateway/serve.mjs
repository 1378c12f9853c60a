// A gateway made of npm's helia and @helia/verified-fetch, on loopback, without any network behind it.
//
// Takes as arguments the folders and files to hold. Prints a line of JSON: where it listens, and the id of each
// in CIDv1 and in CIDv0. Ends when its input does.
//
// Below /blocks it gives blocks and nothing else, below /archives archives, below /plain files, whatever is asked for.

import { createServer } from 'node:http'
import { readFile, readdir, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { join } from 'node:path'
import { createHeliaLight } from 'helia'
import { unixfs } from '@helia/unixfs'
import { createVerifiedFetch } from '@helia/verified-fetch'

// A client that hangs up rejects a promise that nobody waits for.
process.on('unhandledRejection', () => {})
process.on('uncaughtException', () => {})
process.stdin.on('end', () => process.exit(0))
process.stdin.resume()

const helia = await createHeliaLight({ blockBrokers: [], routers: [] }).start()
const fs = unixfs(helia)
const verifiedFetch = await createVerifiedFetch(helia)

const v0 = { cidVersion: 0, rawLeaves: false }
const v1 = {}

async function add (path, options) {
  if (!(await stat(path)).isDirectory()) {
    return fs.addBytes(await readFile(path), options)
  }
  const files = (await readdir(path)).sort()
  const source = files.map(name => ({ path: name, content: (async function * () { yield await readFile(join(path, name)) })() }))
  let last
  for await (const entry of fs.addAll(source, { ...options, wrapWithDirectory: true })) last = entry.cid
  return last
}

const held = {}
for (const path of process.argv.slice(2)) {
  held[path] = [String(await add(path, v1)), String(await add(path, v0))]
}

const server = createServer(async (request, response) => {
  try {
    const url = new URL(request.url, 'http://localhost')
    const [, door, path] = /^(\/\w+)?\/ipfs\/(.*)$/.exec(url.pathname)
    const headers = {}
    for (const name of ['accept', 'range']) {
      if (request.headers[name] != null) headers[name] = request.headers[name]
    }
    const only = { '/blocks': 'vnd.ipld.raw', '/archives': 'vnd.ipld.car' }[door]
    if (only != null && !headers.accept.includes(only)) {
      response.writeHead(406).end()
      return
    }
    if (door === '/plain') {
      delete headers.accept
      url.search = ''
    }
    const answer = await verifiedFetch(`ipfs://${path}${url.search}`, { headers, session: false, offline: true })
    const said = {}
    answer.headers.forEach((value, name) => { said[name] = value })
    delete said['content-encoding']
    response.writeHead(answer.status, said)
    if (answer.body == null) {
      response.end()
    } else {
      await pipeline(Readable.fromWeb(answer.body), response)
    }
  } catch (error) {
    if (!response.headersSent) response.writeHead(504)
    response.end()
  }
})
server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}`, held }))
})
