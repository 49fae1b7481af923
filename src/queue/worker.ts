// Which sender thread owns a site: rendezvous hashing, so that the owner needs no table and only the sites that must move do so
// when the number of threads changes.

/** FNV-1a over the name, then a finaliser that spreads the worker's number over all bits (MurmurHash3's). */
export function workerOf(site: string, workers: number): number {
  if (workers <= 1) return 0;
  let name = 0x811c9dc5;
  for (let i = 0; i < site.length; i++) name = Math.imul(name ^ site.charCodeAt(i), 0x01000193);
  let owner = 0;
  let greatest = -1;
  for (let worker = 0; worker < workers; worker++) {
    let weight = name ^ Math.imul(worker + 1, 0x9e3779b9);
    weight = Math.imul(weight ^ (weight >>> 16), 0x85ebca6b);
    weight = Math.imul(weight ^ (weight >>> 13), 0xc2b2ae35);
    weight = (weight ^ (weight >>> 16)) >>> 0;
    if (weight <= greatest) continue;
    greatest = weight;
    owner = worker;
  }
  return owner;
}
