// Imports as many MiB as a line on the standard input says, under the profile it names, and answers
// the nanoseconds that it took and the content id. The bytes are those of the bench.
import { createInterface } from 'node:readline'
import { importer } from 'ipfs-unixfs-importer'

const MIB = 1 << 20
const nowhere = { put: async cid => cid }
let bytes = new Uint8Array(0)

function fill (length) {
  bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8) * 17 + (i >>> 16) * 7) & 255
}

for await (const line of createInterface({ input: process.stdin })) {
  const [profile, mebibytes] = line.split(' ')
  const length = Number(mebibytes) * MIB
  if (bytes.length !== length) fill(length)
  const content = (async function * () {
    for (let at = 0; at < length; at += MIB) yield bytes.subarray(at, at + MIB)
  })()
  const from = process.hrtime.bigint()
  let root
  for await (const entry of importer([{ content }], nowhere, { profile })) root = entry
  console.log(String(process.hrtime.bigint() - from), root.cid.toString())
}
