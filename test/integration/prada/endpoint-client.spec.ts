import assert from 'node:assert/strict'
import OpenAI from 'openai'
import type { TextSource } from '../../../src/prada/endpoint/index.ts'
import { connectLogitsServer, createHttpTransport } from '../../../src/prada/remotes/index.ts'
import { until } from '../../support/until.ts'
import { type EndpointApp, listenEndpoint, localSource, pradaSource } from './endpoint-app.ts'
import { type LogitsApp, listen } from './logits-app.ts'
import { base, serviceOf, shaken } from './real-models.ts'

/** Endless texts: the end token is never drawn. */
const ENDLESS = { logit_bias: { [String(base.tokenizer.eosId)]: -100 } }
const MESSAGES = [{ role: 'user' as const, content: 'Tell me of the sea.' }]

/** A field that is not in OpenAI's types. */
const exactOf = (choice: object): unknown => (choice as { readonly exact?: unknown }).exact

describe('the openai package', function () {
  this.timeout(60_000)
  let logits: LogitsApp
  let transport: ReturnType<typeof createHttpTransport>

  before(async () => {
    logits = await listen(serviceOf(base.config, shaken(base.weights, 5, 0.1)))
    transport = createHttpTransport({ url: logits.url })
  })
  after(async () => {
    transport.dispose()
    await logits.close()
  })

  const sources: Readonly<Record<string, () => Promise<TextSource>>> = {
    local: async () => localSource(),
    prada: async () => pradaSource(await connectLogitsServer(transport), { draftLength: 4 })
  }
  for (const [model, open] of Object.entries(sources))
    describe(`with the source ${model}`, () => {
      let app: EndpointApp
      let client: OpenAI
      before(async () => {
        app = await listenEndpoint(await open())
        client = new OpenAI({ baseURL: `${app.url}/v1`, apiKey: 'any', maxRetries: 0 })
      })
      after(async () => {
        assert.deepEqual(app.failures, [])
        await app.close()
      })

      it('lists and retrieves the model', async () => {
        const { data } = await client.models.list()
        assert.deepEqual(
          data.map(({ id }) => id),
          [model]
        )
        assert.equal((await client.models.retrieve(model)).id, model)
        await assert.rejects(client.models.retrieve('other'), OpenAI.NotFoundError)
      })

      it('streams a chat that equals the whole answer, and repeats it with the same seed', async () => {
        const request = { ...ENDLESS, model, messages: MESSAGES, seed: 7, max_completion_tokens: 20 }
        const whole = await client.chat.completions.create(request)
        const { message, finish_reason } = whole.choices[0]!
        assert.deepEqual([message.role, finish_reason], ['assistant', 'length'])
        assert.ok(message.content!.length > 10)
        assert.equal(exactOf(whole.choices[0]!), true)
        assert.equal(whole.usage!.completion_tokens, 20)
        const stream = await client.chat.completions.create({
          ...request,
          stream: true,
          stream_options: { include_usage: true }
        })
        const chunks: OpenAI.ChatCompletionChunk[] = []
        for await (const chunk of stream) chunks.push(chunk)
        assert.deepEqual(chunks[0]!.choices[0]!.delta, { role: 'assistant', content: '' })
        assert.equal(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join(''), message.content)
        assert.equal(chunks.at(-2)!.choices[0]!.finish_reason, 'length')
        assert.deepEqual(chunks.at(-1)!.choices, [])
        assert.deepEqual(chunks.at(-1)!.usage, whole.usage)
        assert.ok(chunks.slice(0, -1).every(({ usage }) => usage === null))
        const other = await client.chat.completions.create({ ...request, seed: 8 })
        assert.notEqual(other.choices[0]!.message.content, message.content)
      })

      it('streams with its helper, and stops at a string that spans tokens', async () => {
        const request = {
          model,
          ...ENDLESS,
          messages: MESSAGES,
          seed: 3,
          max_tokens: 30,
          temperature: 0.7,
          top_p: 0.9
        }
        const free = await client.chat.completions.create(request)
        const text = free.choices[0]!.message.content!
        const stop = text.slice(11, 15)
        const stream = client.chat.completions.stream({ ...request, stop: [stop, 'never to be seen'] })
        const stopped = (await stream.finalChatCompletion()).choices[0]!
        assert.equal(stopped.message.content, text.slice(0, text.indexOf(stop)))
        assert.equal(stopped.finish_reason, 'stop')
      })

      it('generates n texts, each at its own index', async () => {
        const request = { model, prompt: ['Once', 'The ship'], seed: 11, max_tokens: 6, n: 2 }
        const { choices } = await client.completions.create(request)
        assert.deepEqual(
          choices.map(({ index }) => index),
          [0, 1, 2, 3]
        )
        assert.notEqual(choices[0]!.text, choices[1]!.text)
        const alone = await client.completions.create({ ...request, prompt: 'The ship' })
        assert.deepEqual(
          alone.choices.map(({ text }) => text),
          choices.slice(2).map(({ text }) => text)
        )
      })

      it('receives log-probabilities of the token and of the likeliest ones', async () => {
        const request = {
          model,
          ...ENDLESS,
          messages: MESSAGES,
          seed: 5,
          max_tokens: 8,
          logprobs: true,
          top_logprobs: 3
        }
        const { choices } = await client.chat.completions.create(request)
        const { content } = choices[0]!.logprobs!
        assert.equal(content!.length, 8)
        assert.equal(content!.map(({ token }) => token).join(''), choices[0]!.message.content)
        for (const { logprob, top_logprobs, bytes, token } of content!) {
          assert.ok(logprob < 0)
          assert.equal(top_logprobs.length, 3)
          assert.ok(top_logprobs[0]!.logprob >= Math.max(logprob, top_logprobs[1]!.logprob))
          assert.deepEqual(bytes, [...Buffer.from(token)])
          const sum = top_logprobs.reduce((total, one) => total + Math.exp(one.logprob), 0)
          assert.ok(sum > 0 && sum <= 1)
        }
        const plain = await client.chat.completions.create({ ...request, logprobs: null, top_logprobs: null })
        assert.equal(plain.choices[0]!.logprobs, null)
        assert.equal(plain.choices[0]!.message.content, choices[0]!.message.content)
        const legacy = await client.completions.create({
          model,
          prompt: 'One',
          seed: 5,
          max_tokens: 4,
          logprobs: 2
        })
        const told = legacy.choices[0]!.logprobs!
        assert.equal(told.tokens!.join(''), legacy.choices[0]!.text)
        assert.deepEqual(told.text_offset![0], 0)
      })

      it('applies logit bias and penalties', async () => {
        const request = { model, prompt: 'Once upon a time', temperature: 0, max_tokens: 12 }
        const free = (await client.completions.create({ ...request, logprobs: 0 })).choices[0]!
        const first = base.tokenizer.encode(free.logprobs!.tokens![0]!)[0]!
        const banned = await client.completions.create({ ...request, logit_bias: { [first]: -100 } })
        assert.ok(!banned.choices[0]!.text.startsWith(free.logprobs!.tokens![0]!))
        const forced = await client.completions.create({ ...request, logit_bias: { '68': 100 } })
        const token = base.tokenizer.decode([68])
        assert.equal(forced.choices[0]!.text, token.repeat(12))
        const varied = await client.completions.create({
          ...request,
          logit_bias: { '68': 2 },
          presence_penalty: 2,
          frequency_penalty: 2
        })
        assert.notEqual(varied.choices[0]!.text, forced.choices[0]!.text)
      })

      it('raises its own error classes for refused requests', async () => {
        const wrong = { model, messages: MESSAGES, response_format: { type: 'json_object' as const } }
        await assert.rejects(client.chat.completions.create(wrong), (error: unknown) => {
          assert.ok(error instanceof OpenAI.BadRequestError)
          assert.deepEqual(
            [error.status, error.param, error.type],
            [400, 'response_format.type', 'invalid_request_error']
          )
          assert.ok(error.requestID)
          return true
        })
        await assert.rejects(
          client.chat.completions.create({ model: 'gpt-4', messages: MESSAGES }),
          (error: unknown) => error instanceof OpenAI.NotFoundError && error.code === 'model_not_found'
        )
      })

      it('receives token counts', async () => {
        const text = await app.endpoint.metrics.text()
        const count = (name: string): number =>
          Number(
            text
              .split('\n')
              .find((line) => line.startsWith(`${name} `))
              ?.split(' ')[1]
          )
        assert.ok(count('loam_serve_requests_total{outcome="answered"}') >= 8)
        assert.ok(count('loam_serve_requests_total{outcome="refused"}') >= 2)
        assert.ok(count('loam_serve_tokens_total{kind="completion"}') > 100)
        assert.equal(count('loam_serve_inexact_tokens_total'), 0)
        for (const name of [
          'trips_total',
          'line_bytes_total{direction="sent"}',
          'line_bytes_total{direction="received"}'
        ])
          assert.equal(count(`loam_serve_${name}`) > 0, model === 'prada', name)
      })

      it('disconnects mid-stream, and the generation stops', async () => {
        const stream = await client.chat.completions.create({
          model,
          messages: MESSAGES,
          stream: true,
          n: 16
        })
        for await (const _ of stream) break
        const { endpoint } = app
        await until(async () => /loam_serve_active_requests 0/.test(await endpoint.metrics.text()))
        assert.match(await endpoint.metrics.text(), /loam_serve_requests_total\{outcome="left"\} 1/)
      })
    })
})
