import { promisify } from 'node:util'
import { brotliCompress, constants } from 'node:zlib'
import { DOMAIN_NAMES, type DomainLine } from '../../../src/data/index.ts'
import { readDomainFromPackages } from './domain-sources.ts'

/** All domains, read from their packages, as the lines of `corpora/domains.jsonl.br`. */
export async function domainLines(): Promise<string> {
  let lines = ''
  for (const name of DOMAIN_NAMES) {
    const line: DomainLine = { name, documents: await readDomainFromPackages(name) }
    lines += `${JSON.stringify(line)}\n`
  }
  return lines
}

/** The content of `corpora/domains.jsonl.br`: about 2.2 MB, created in half a minute. */
export async function packDomains(): Promise<Buffer> {
  const lines = Buffer.from(await domainLines())
  return promisify(brotliCompress)(lines, {
    params: {
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: lines.length
    }
  })
}
