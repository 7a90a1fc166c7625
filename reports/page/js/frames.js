const framesOf = () => null;
function showFrame() {}
