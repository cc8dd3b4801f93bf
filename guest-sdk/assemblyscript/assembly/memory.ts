// Memory outside of the garbage collector's reach: what the host writes for a call, and what it reads as the answer.

/** What is allocated for the call, and freed once the host has read the answer. */
const blocks = new Array<usize>();

/** Memory until the end of the call. */
export function allocate(size: usize): usize {
  return keep(heap.alloc(size));
}

/** Frees a block at the end of the call. */
export function keep(block: usize): usize {
  if (block) blocks.push(block);
  return block;
}

/** What the host gets memory with; nothing has an address, too, which is aligned. */
export function reallocate(old: usize, oldSize: usize, alignment: usize, size: usize): usize {
  if (size == 0) return alignment;
  const block = allocate(size);
  if (old) memory.copy(block, old, min(oldSize, size));
  return block;
}

/** The end of a call: nothing of the host's or the answer's is needed any more, and no object is on the stack. */
export function release(): void {
  for (let i = 0; i < blocks.length; i++) heap.free(blocks[i]);
  blocks.length = 0;
  __collect();
}

/** Bytes that grow. */
export class Buffer {
  start: usize = 0;
  size: usize = 0;
  private capacity: usize = 0;

  // @ts-ignore: decorator
  @inline
  push<T>(value: T): void {
    this.reserve(sizeof<T>());
    store<T>(this.start + this.size, value);
    this.size += sizeof<T>();
  }

  append(from: usize, length: usize): void {
    this.reserve(length);
    memory.copy(this.start + this.size, from, length);
    this.size += length;
  }

  // @ts-ignore: decorator
  @inline
  reserve(more: usize): void {
    if (this.size + more > this.capacity) this.grow(more);
  }

  private grow(more: usize): void {
    this.capacity = max(this.capacity * 2, this.size + more, 256);
    this.start = this.start ? heap.realloc(this.start, this.capacity) : heap.alloc(this.capacity);
  }

  /** Gives the bytes away until the end of the call, and begins anew. */
  take(): usize {
    const start = keep(this.start);
    this.start = this.size = this.capacity = 0;
    return start;
  }
}

function max(a: usize, b: usize, c: usize): usize {
  const larger = a > b ? a : b;
  return larger > c ? larger : c;
}
