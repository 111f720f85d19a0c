// Offers titles of seminars while somebody types.
const field = document.getElementById("q");
const titles = document.getElementById("titles");
field.addEventListener("input", async () => {
  const answer = await fetch("/api/autocomplete?q=" + encodeURIComponent(field.value));
  if (!answer.ok) return;
  titles.replaceChildren(...(await answer.json()).map((title) => new Option(title, title)));
});
