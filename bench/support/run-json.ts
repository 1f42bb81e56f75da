import { execFile } from 'node:child_process'

/**
 * Runs a program to its end and reads the last line of its output as JSON.
 *
 * @throws {Error} with the end of its stderr, when it fails
 */
export function runJson(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {}
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, ...environment }
    execFile(program, args, { env, maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
      if (error) {
        const reason = stderr.trim().split('\n').slice(-8).join('\n') || error.message
        reject(new Error(`${program} ${args[0]} failed: ${reason}`, { cause: error }))
        return
      }
      const last = stdout.trim().split('\n').at(-1) ?? ''
      try {
        resolve(JSON.parse(last))
      } catch (cause) {
        reject(new Error(`${program} ${args[0]} printed no JSON but ${JSON.stringify(last)}`, { cause }))
      }
    })
  })
}
