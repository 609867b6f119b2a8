/** A dialog over the page: the focus stays in it, Escape closes it, and returns where it was. */
import { html, useLayoutEffect, useRef } from "../vendor/htm-preact.js";

/** @param {{title: string, onClose: () => void, children?: any, wide?: boolean}} props */
export function Dialog({ title, onClose, children, wide = false }) {
  const element = useRef(null);
  useLayoutEffect(() => {
    const before = document.activeElement;
    const dialog = element.current;
    dialog.showModal();
    (dialog.querySelector("[data-first]") ?? dialog).focus();
    return () => {
      dialog.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  // Closed at once, not with the next frame: the stroke that follows is not for the dialog.
  const close = () => {
    element.current.close();
    onClose();
  };
  return html`<dialog ref=${element} class=${wide ? "wide" : ""} aria-label=${title}
      onCancel=${(event) => { event.preventDefault(); close(); }}
      onClick=${(event) => event.target === element.current && close()}>
    <header><h2>${title}</h2><button type="button" class="quiet" aria-label="Close" onClick=${close}>✕</button></header>
    <div class="dialog-body">${children}</div>
  </dialog>`;
}
