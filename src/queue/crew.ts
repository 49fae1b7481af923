// How many of the sender threads share the sites: as few as keep up. The fewer there are, the more mail each of them has at a time, so that
// it wakes less often and writes and reads more at once; a second thread that is not needed costs a tenth of the whole throughput.

/** What a sender thread says of its last second. */
export interface SenderLoad {
  /** Its time on a processor: 1 is a core of its own. */
  readonly cpuShare: number;
  /** Mail waits there for a connection, since the thread has all that it may have. */
  readonly isFull: boolean;
}

export interface Crew {
  /** The first so many threads are at work. */
  size(): number;
  /** A thread's word, once a second. Tells whether another number of them is at work from now on. */
  heard(worker: number, load: SenderLoad, nowMono: number): boolean;
  /** There are so many threads. Tells whether another number of them is at work from now on. */
  limit(threads: number): boolean;
}

/** Of all cores that those at work could fill. */
const BUSY_SHARE = 0.6;
/** Of all cores that one thread less could fill: well below, so that a number once found stays. */
const CALM_SHARE = 0.4;
const GROW_AFTER_MS = 2_000;
/** Sites that change hands lose their connections, so nobody is sent home for a short lull. */
const SHRINK_AFTER_MS = 30_000;

export function createCrew(threads: number): Crew {
  const loads = new Map<number, SenderLoad>();
  let most = threads;
  let size = 1;
  let busySince: number | null = null;
  let calmSince: number | null = null;

  const become = (next: number): boolean => {
    const isOther = next !== size;
    size = next;
    busySince = null;
    calmSince = null;
    return isOther;
  };

  return {
    size: () => size,
    heard(worker, load, nowMono) {
      // It leaves, and speaks for a while.
      if (worker >= most) return false;
      loads.set(worker, load);
      const all = [...loads.values()];
      const share = all.reduce((sum, { cpuShare }) => sum + cpuShare, 0);
      const isFull = all.some((one) => one.isFull);
      const isBusy = isFull || share >= BUSY_SHARE * size;
      const isCalm = !isFull && share <= CALM_SHARE * (size - 1);
      busySince = isBusy ? (busySince ?? nowMono) : null;
      calmSince = isCalm ? (calmSince ?? nowMono) : null;
      if (busySince !== null && nowMono - busySince >= GROW_AFTER_MS)
        return become(Math.min(most, Math.ceil(size * 1.5)));
      if (calmSince !== null && nowMono - calmSince >= SHRINK_AFTER_MS)
        return become(Math.max(1, size - 1));
      return false;
    },
    limit(next) {
      most = next;
      for (const worker of loads.keys()) if (worker >= most) loads.delete(worker);
      return become(Math.min(size, most));
    },
  };
}
