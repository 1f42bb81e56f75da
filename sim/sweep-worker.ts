import { type Assignment, carryOut } from './sweep.ts'

process.once('message', (assignment: Assignment) => {
  for (const result of carryOut(assignment)) process.send!(result)
  process.send!('done')
})
