import { type Assignment, carryOut } from './sweep.ts'

process.once('message', async (assignment: Assignment) => {
  for await (const result of carryOut(assignment)) process.send!(result)
  process.send!('done')
})
