/** Public-domain text beside the base text, fetched from Debian packages when a larger model is pretrained. */
export { addedSectionOf, heldOutCharactersOf, loadAddedDocuments } from './documents.ts'
export { fetchAddedTexts } from './fetch.ts'
export { ADDED_SOURCE_NAMES, ADDED_SOURCES, type AddedSource, type AddedSourceName } from './sources.ts'
