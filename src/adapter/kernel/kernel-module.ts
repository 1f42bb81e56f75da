import { KERNEL_BASE64 } from './kernel-bytes.ts'
import { WasmInstance, type WasmMemory, WasmModule } from './web-assembly.ts'

/** Bytes in a page, the unit in which WebAssembly memory grows. */
export const PAGE_BYTES = 65536
/** Where the memory laid out here begins; what lies below belongs to the compiled module. */
export const MEMORY_BEGIN = 1024

/** The exports of `assembly/merge-kernel.ts`; addresses, counts and strides are numbers. */
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

/** Instantiates the kernel with a new memory. */
export function instantiateKernel(): KernelExports {
  compiled ??= new WasmModule(Buffer.from(KERNEL_BASE64, 'base64'))
  return new WasmInstance(compiled).exports as KernelExports
}
