import assert from 'node:assert/strict'
import fc from 'fast-check'
import { cleanMail, mailingList, maskAddresses } from '../../../../../pretrain/corpus/packages/index.ts'

const PROSE =
  'This is a plain letter about nothing in particular, long enough that it is worth keeping, and with no oddities in it.'

function mail(headers: string[], body: string): string {
  return [...headers, '', body].join('\n')
}

describe('pretrain/corpus/packages/mail-cleaning', () => {
  it('keeps subject and text, drops the headers', async () => {
    const source = mail(
      [
        'From a@b.example Thu Aug 22 2002',
        'From: Ann <ann@b.example>',
        'X-Mailer: 9',
        'Subject: Re:  a letter'
      ],
      PROSE
    )
    assert.equal(await cleanMail(source), `Re: a letter\n\n${PROSE}`)
  })

  it('decodes quoted-printable', async () => {
    const headers = [
      'Subject: x',
      'Content-Type: text/plain; charset=iso-8859-1',
      'Content-Transfer-Encoding: quoted-printable'
    ]
    assert.equal(
      await cleanMail(mail(headers, `caf=E9 ${PROSE.slice(0, 40)}=\n${PROSE.slice(40)}`)),
      `x\n\ncafé ${PROSE}`
    )
  })

  it('decodes a base64 text, and drops a base64 attachment', async () => {
    const encoded = Buffer.from(PROSE).toString('base64')
    const whole = mail(
      ['Subject: x', 'Content-Type: text/plain', 'Content-Transfer-Encoding: base64'],
      encoded
    )
    assert.equal(await cleanMail(whole), `x\n\n${PROSE}`)
    const parts = [
      '--edge',
      'Content-Type: text/plain',
      '',
      PROSE,
      '--edge',
      'Content-Type: image/gif',
      'Content-Transfer-Encoding: base64',
      '',
      Buffer.alloc(900, 7).toString('base64'),
      '--edge--'
    ].join('\n')
    assert.equal(
      await cleanMail(mail(['Subject: x', 'Content-Type: multipart/mixed; boundary=edge'], parts)),
      `x\n\n${PROSE}`
    )
  })

  it('reads a mail that only has HTML, even under a wrong content type', async () => {
    const html = `<html><head><style>p {color: red}</style></head><body><h1>Hello</h1><p>${PROSE}</p><img src=x><a href="http://x.example/">there</a></body></html>`
    for (const type of ['text/html', 'text/plain']) {
      const text = await cleanMail(mail(['Subject: x', `Content-Type: ${type}`], html))
      assert.equal(text, `x\n\nHello\n\n${PROSE}\n\nthere`, type)
    }
  })

  it('drops quoted lines, cryptographic signatures, footers and encoded lines', async () => {
    const body = [
      'On Monday Ann wrote:',
      '> what was said',
      '> and more',
      PROSE,
      `begin 644 file.gif`,
      `${'M3D5'.repeat(20)}`,
      '=====',
      '-----BEGIN PGP SIGNATURE-----',
      'iD8DBQE9',
      '-----END PGP SIGNATURE-----',
      '_______________________________________________',
      'Talk mailing list',
      'http://lists.example/talk'
    ].join('\n')
    assert.equal(await cleanMail(mail(['Subject: x'], body)), `x\n\n${PROSE}`)
  })

  it('omits mails without readable text', async () => {
    assert.equal(await cleanMail(''), undefined)
    assert.equal(await cleanMail(mail(['Subject: x'], 'too short')), undefined)
    assert.equal(await cleanMail(mail(['Subject: x'], '12 34 56 78 90 ab\n'.repeat(50))), undefined)
    assert.equal(await cleanMail(mail(['Subject: \ufffd\ufffd'], '\ufffd'.repeat(4000))), undefined)
  })

  it('bounds the length of a mail', async () => {
    const text = await cleanMail(mail(['Subject: x'], `${PROSE}\n`.repeat(5000)))
    assert.ok(text !== undefined && text.length <= 6000 && text.endsWith(PROSE))
  })

  it('never throws and never passes an address through, for any input', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 300 }), fc.emailAddress(), async (noise, address) => {
        const text = (await cleanMail(`${noise}\n\n${PROSE} ${address} ${noise}`)) ?? ''
        assert.doesNotMatch(text, /[\w.]+@\w+\.\w{2,}/)
      }),
      { numRuns: 60 }
    )
  })

  it('masks addresses and leaves prose alone', () => {
    assert.equal(
      maskAddresses('write to <ann.b+c@mail.example.org>, see http://x.example/a?b=1 or www.y.example.'),
      'write to <email>, see <url> or <url>'
    )
    assert.equal(maskAddresses('mailto:a@b.example 3 @ 5 dollars'), '<email> 3 @ 5 dollars')
  })

  it('finds the mailing list, even in a folded header, and never in the body', () => {
    assert.equal(mailingList('List-Id: Friends of\n  X <fork.xent.com>\n\nbody'), 'fork.xent.com')
    assert.equal(mailingList('List-ID: <ILUG.linux.ie>\n\n'), 'ilug.linux.ie')
    assert.equal(mailingList('Subject: x\n\nList-Id: <a.b>'), '')
  })
})
