"use strict";
// Loads the replies from the API, as the sites do whose pages hold nothing without script.
(function () {
  const place = document.querySelector("[data-replies]");
  if (!place) { return; }
  const csrf = document.querySelector('meta[name="csrf-token"]');

  function element(tag, className, text) {
    const node = document.createElement(tag);
    if (className) { node.className = className; }
    if (text) { node.textContent = text; }
    return node;
  }

  function reply(status) {
    const article = element("article", "reply");
    article.id = "bericht-" + status.id;
    const header = element("header");
    const picture = element("img");
    picture.src = status.account.avatar;
    picture.alt = "";
    const who = element("div");
    const name = element("a", "name", status.account.display_name);
    name.href = status.url;
    who.append(name, element("span", "handle", "@" + status.account.acct));
    header.append(picture, who);
    const text = element("div", "text");
    const parsed = new DOMParser().parseFromString(status.content, "text/html");
    for (const paragraph of parsed.querySelectorAll("p")) {
      text.append(element("p", "", paragraph.textContent));
    }
    const when = element("div", "meta", status.created_at.replace("T", " ").slice(0, 16) + " UTC");
    article.append(header, text, when);
    return article;
  }

  fetch("/api/v1/statuses/" + place.dataset.replies + "/context", {
    headers: { "X-CSRF-Token": csrf ? csrf.content : "" },
  })
    .then(function (answer) { return answer.json(); })
    .then(function (context) {
      place.replaceChildren(...context.descendants.map(reply));
      place.dataset.ready = "yes";
    })
    .catch(function () { place.textContent = "De reacties konden niet worden geladen."; });
})();
