/** Additional public-domain texts, fetched from Debian packages to pretrain the larger model. */
export { addedSectionOf, heldOutCharactersOf, loadAddedDocuments } from './documents.ts'
export { fetchAddedTexts } from './fetch.ts'
export { ADDED_SOURCE_NAMES, ADDED_SOURCES, type AddedSource, type AddedSourceName } from './sources.ts'
