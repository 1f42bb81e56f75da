import { KERNEL_BASE64 } from './kernel-bytes.ts'
import { WasmInstance, type WasmMemory, WasmModule } from './web-assembly.ts'

/** Bytes of a page, in which a memory grows. */
export const PAGE_BYTES = 65536
/** Where the memory that is laid out here begins: below lies the assembly's own. */
export const MEMORY_BEGIN = 1024

/** What `assembly/merge-kernel.ts` exports; addresses, counts and strides as numbers. */
export interface KernelExports {
  readonly memory: WasmMemory
  addTiles(
    a: number,
    b: number,
    weight: number,
    rank: number,
    tiles: number,
    panels: number,
    stride: number
  ): void
  packRow(source: number, target: number, panels: number, panelBytes: number): void
  packTiles(source: number, target: number, tiles: number, rank: number): void
  widenFloat16(half: number, full: number, count: number): void
  narrowFloat16(full: number, half: number, count: number): void
  widenBfloat16(half: number, full: number, count: number): void
  narrowBfloat16(full: number, half: number, count: number): void
  scale(source: number, target: number, count: number, factor: number): number
  spread(source: number, target: number, rows: number, width: number, stride: number): number
}

let compiled: object | undefined

/** The kernel's functions over a new memory of their own. */
export function instantiateKernel(): KernelExports {
  compiled ??= new WasmModule(Buffer.from(KERNEL_BASE64, 'base64'))
  return new WasmInstance(compiled).exports as KernelExports
}
