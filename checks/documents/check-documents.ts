import { faultText, findFaults } from './find-faults.ts'
import { readDocuments, readHouse } from './house.ts'

const documents = readDocuments()
const faults = findFaults(documents, await readHouse())
for (const fault of faults) console.error(faultText(fault))
console.log(`${documents.length} documents, ${faults.length} faults`)
process.exitCode = faults.length === 0 ? 0 : 1
