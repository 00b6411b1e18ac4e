// A click on the picture takes one; so does the button, which keyboards reach as well.

const camera = document.getElementById("camera");
document.getElementById("shutter").addEventListener("click", () => camera.click());
