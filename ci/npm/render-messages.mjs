// Renders Cucumber Messages from standard input as HTML on standard output, with the Cucumber project's formatter.
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { CucumberHtmlStream } from '@cucumber/html-formatter'

async function* envelopes() {
  for await (const line of createInterface({ input: process.stdin })) yield JSON.parse(line)
}

await pipeline(Readable.from(envelopes()), new CucumberHtmlStream(), process.stdout)
