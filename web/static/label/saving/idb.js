/**
 * What waits to be saved, kept in IndexedDB so that it outlives the tab. Where a browser keeps
 * nothing (a private window, a full disk) it is kept in memory, and `kept` says so.
 */
const NAME = "batman-label";
const ROWS = "waiting";

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const finished = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(undefined);
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });

export class Waiting {
  /** @param {IDBDatabase|null} database */
  constructor(database) {
    this.database = database;
    this.kept = database !== null;
  }

  static async open() {
    try {
      const request = indexedDB.open(NAME, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(ROWS, { keyPath: "key" });
      return new Waiting(await done(request));
    } catch {
      return new Waiting(null);
    }
  }

  /** All entries, in the order in which they were made. @returns {Promise<any[]>} */
  async all() {
    if (!this.database) return [];
    const rows = await done(this.database.transaction(ROWS).objectStore(ROWS).getAll());
    return rows.sort((a, b) => a.at - b.at || a.order - b.order);
  }

  /** Write some entries and remove others, all of it or nothing.
   * @param {any[]} put @param {string[]} [gone] their keys */
  async change(put, gone = []) {
    if (!this.database) return;
    try {
      const transaction = this.database.transaction(ROWS, "readwrite", { durability: "relaxed" });
      const rows = transaction.objectStore(ROWS);
      for (const entry of put) rows.put(entry);
      for (const key of gone) rows.delete(key);
      await finished(transaction);
    } catch {
      this.kept = false;
    }
  }
}
