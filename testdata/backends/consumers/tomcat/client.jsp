<%@ page contentType="text/plain; charset=UTF-8" session="false" trimDirectiveWhitespaces="true" %>
<%-- What a servlet is told of the client, a line for each certificate; nothing without one. --%>
<%
  Object told = request.getAttribute("jakarta.servlet.request.X509Certificate");
  if (told != null) {
    for (java.security.cert.X509Certificate c : (java.security.cert.X509Certificate[]) told) {
      out.print(java.util.Base64.getEncoder().encodeToString(c.getEncoded()));
      out.print(" " + c.getSubjectX500Principal().getName());
    }
  }
  for (String name : new String[] {"cipher_suite", "key_size", "ssl_session_id"}) {
    Object value = request.getAttribute("jakarta.servlet.request." + name);
    out.print("\n" + name + "=" + (value == null ? "" : value));
  }
%>
