import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import puppeteer, { type Browser, type Page } from 'puppeteer-core'
import { post } from '../../integration/prada/sse.ts'
import { type ServeProcess, startServe } from '../cli/serve-process.ts'

const BROWSERS = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome'
]
const MODEL = 'loam-base-1m'
const SETTINGS = { model: MODEL, temperature: 0.8, seed: 4, max_tokens: 24 }
const QUESTION = 'Will it rain?'
const READY_MS = 60_000

/** As the component's documentation has it for services of one's own: how a request is written, and an answer read. */
function pageOf(url: string): string {
  return `<!doctype html><meta charset="utf-8"><title>Chat</title>
<deep-chat id="chat"></deep-chat>
<script type="module">
  import '/deep-chat.js'
  const chat = document.getElementById('chat')
  chat.connect = { url: '${url}/v1/chat/completions', stream: true }
  chat.requestInterceptor = (details) => {
    const messages = details.body.messages.map(({ role, text }) => ({ role: role === 'ai' ? 'assistant' : role, content: text }))
    details.body = { ...${JSON.stringify(SETTINGS)}, messages, stream: true }
    return details
  }
  chat.responseInterceptor = ({ choices: [choice] }) => ({ text: choice?.delta.content ?? '' })
</script>`
}

describe('a chat page in Chromium', function () {
  this.timeout(180_000)
  const executablePath = BROWSERS.find((path) => path !== undefined && existsSync(path))
  let browser: Browser
  let pages: Server
  let served: ServeProcess
  let port: number

  before(async function () {
    if (executablePath === undefined) {
      this.skip()
      return
    }
    const component = createRequire(import.meta.url)
      .resolve('deep-chat')
      .replace(/deepChat\.js$/, 'deepChat.bundle.js')
    pages = createServer(async (request, response) => {
      if (request.url === '/deep-chat.js')
        response.setHeader('content-type', 'text/javascript').end(await readFile(component))
      else response.setHeader('content-type', 'text/html').end(pageOf(served.url))
    })
    await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve))
    port = (pages.address() as AddressInfo).port
    served = await startServe({}, '--chat-template', 'chatml', '--cors', `http://127.0.0.1:${port}`, '--json')
    browser = await puppeteer.launch({
      executablePath,
      headless: true,
      pipe: true,
      args: [
        '--no-sandbox',
        '--disable-dev-shm-usage',
        '--disable-background-networking',
        // The component asks for a font elsewhere.
        '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost'
      ]
    })
  })
  after(async () => {
    await browser?.close()
    pages?.closeAllConnections()
    pages?.close()
    if (served !== undefined) assert.equal((await served.stop('SIGINT')).code, 0)
  })

  /** Opens the page, types a message and sends it. */
  async function asked(host: string): Promise<Page> {
    const page = await browser.newPage()
    await page.goto(`http://${host}:${port}/`, { timeout: READY_MS })
    await page.waitForSelector('deep-chat >>> #text-input', { timeout: READY_MS })
    // What the page shows of the answer, each time that it changes.
    await page.evaluate(`
      window.shown = []
      const root = document.getElementById('chat').shadowRoot
      const look = () => {
        const bubble = [...root.querySelectorAll('.ai-message-text')].at(-1)
        const text = bubble === undefined ? '' : bubble.innerText
        if (text !== window.shown.at(-1)) window.shown.push(text)
      }
      new MutationObserver(look).observe(root, { subtree: true, childList: true, characterData: true })
    `)
    await page.type('deep-chat >>> #text-input', QUESTION)
    await page.keyboard.press('Enter')
    return page
  }

  it('shows a streamed answer of loam serve as it comes', async () => {
    const messages = [{ role: 'user', content: QUESTION }]
    const plain = await post(`${served.url}/v1/chat/completions`, { ...SETTINGS, messages })
    const { choices } = (await plain.json()) as { choices: { message: { content: string } }[] }
    const words = (text: string): string => text.replace(/\s+/g, ' ').trim()
    const whole = words(choices[0]!.message.content)
    assert.ok(whole.length > 10)
    const page = await asked('127.0.0.1')
    await page.waitForFunction(
      `(window.shown.at(-1) ?? '').replace(/\\s+/g, ' ').trim() === ${JSON.stringify(whole)}`,
      { timeout: READY_MS }
    )
    const shown = (await page.evaluate('window.shown')) as string[]
    const parts = new Set(shown.map(words).filter((text) => text !== '' && text !== whole))
    assert.ok(parts.size >= 3, JSON.stringify(shown))
    for (const part of parts) assert.ok(whole.startsWith(part), `${part} of ${whole}`)
    await page.close()
  })

  it('is kept out where --cors does not list its origin', async () => {
    const page = await asked('localhost')
    await page.waitForSelector('deep-chat >>> .error-message-text', { timeout: READY_MS })
    assert.deepEqual(await page.evaluate('window.shown.filter((text) => text !== "")'), [
      'Error, please try again.'
    ])
    await page.close()
  })
})
